//! Acceptance tests: the whole program over HTTP, without a socket where none is needed.

#[expect(dead_code, reason = "a box of tools; not every test takes every one")]
mod support;

mod harness;
