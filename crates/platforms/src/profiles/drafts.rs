//! Profiles that nobody types: read out of a title QR or another's invoice, and written as a title QR.
//!
//! A draft is shown to its owner before it is kept; nothing here writes.
//!
//! Row S20, S06. Source: State Taxation Administration, 便捷开票二维码应用规范 (2017); EN 16931-1 BG-7.

use onescan_domain::profiles::ProfileFields;
use onescan_einvoice::titles::profile;
use onescan_einvoice::titles::title_qr::{self, TitleReadError, TitleWriteError};
use onescan_einvoice::xml::{self, Limits, ReadError};
use onescan_symbols::{SymbolError, qr};

/// Bytes an invoice may have from which a profile is read.
pub const INVOICE_BYTES_MAX: usize = 4 << 20;
/// Pixels a module of a PNG.
const SCALE: u32 = 8;

/// Both pictures of a title QR, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitleCode {
    pub text: String,
    pub svg: String,
    pub png: Vec<u8>,
}

/// Why a profile has no title QR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TitleCodeRefusal {
    #[error(transparent)]
    Title(#[from] TitleWriteError),
    #[error(transparent)]
    Symbol(#[from] SymbolError),
}

/// From what a scanner reads in the tax administration's title QR.
pub fn from_title_code(text: &str) -> Result<ProfileFields, TitleReadError> {
    Ok(profile::profile_of_title(&title_qr::read(text)?).tidied())
}

/// From the buyer of an invoice: UBL, CII, or the XML inside a hybrid PDF. Hostile input is an error within bounded time
/// and memory; up to a second of work, so not for a thread that serves others.
pub fn from_invoice(bytes: &[u8]) -> Result<ProfileFields, ReadError> {
    let limits = Limits {
        input_bytes_max: INVOICE_BYTES_MAX,
        ..Limits::default()
    };
    let read = xml::read(bytes, &limits)?;
    Ok(profile::profile_of(&read.invoice).tidied())
}

/// `caption` is read aloud instead of the picture.
pub fn title_code(fields: &ProfileFields, caption: &str) -> Result<TitleCode, TitleCodeRefusal> {
    let text = title_qr::write(&profile::title_of(fields))?;
    Ok(TitleCode {
        svg: qr::svg(&text, &qr::SvgOptions { title: caption })?,
        png: qr::png(&text, SCALE)?,
        text,
    })
}
