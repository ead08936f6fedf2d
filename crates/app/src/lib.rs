//! The program around the platforms: configuration, command line, wiring, background work, and the demo.
//!
//! **Invariant:** the only crate that knows both the store and the faces.
//! **Invariant:** the clock and the system's randomness are read in [`mod@env`] and nowhere else; measuring is the exception.

pub mod background;
pub mod cli;
pub mod config;
pub mod contract_test;
pub mod demo;
pub mod elsewhere;
pub mod env;
pub mod gate;
pub mod http_client;
pub mod logging;
pub mod mail;
pub mod observe;
pub mod server;
pub mod tls;
pub mod wiring;
