//! Bad input: each is answered with a problem that names what is wrong, and nothing is half-written after it.

mod amounts;
mod codes;
mod credentials;
mod csv;
mod requests;
mod texts;
