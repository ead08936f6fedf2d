//! Turns the digits of a code into what can be shown or played: QR, Code 128 and sound.
//!
//! Purpose: one code, three carriers, so that a camera, a till's bar scanner and a microphone read
//! the same 18 digits. Invariant: what comes out depends on the arguments alone; no clock, no
//! randomness, no IO. Borders: text in, bytes or SVG text out; what the digits mean is decided
//! elsewhere, and nothing here looks at it.
//!
//! Row S09. Source: S \[19\], \[68\]-\[70\].

pub mod code128;
mod error;
pub mod qr;
mod raster;
pub mod sound;
mod svg;

pub use error::SymbolError;
pub use raster::SCALE_MAX;
