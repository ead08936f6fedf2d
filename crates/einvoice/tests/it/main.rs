//! The crate from outside: documents of many kinds, judged by programs that are not ours.
//!
//! The Python that has the validators is named by `ONESCAN_TEST_PYTHON`, else `target/test-tools/venv/bin/python`.

mod documents;
mod foreign;
mod pages;
mod random;
mod refusals;
mod round_trip;
mod titles;
mod tools;
