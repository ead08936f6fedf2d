//! Code rendering: the digits as a picture or a sound. Row S09. Source: S \[19\], \[68\]-\[70\].

use onescan_domain::codes::CodeText;
use onescan_symbols::{SymbolError, code128, qr, sound};

/// In which form a code is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    QrSvg,
    QrPng,
    BarcodeSvg,
    BarcodePng,
    SoundWav,
}

impl Form {
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::QrSvg, "qr.svg"),
        (Self::QrPng, "qr.png"),
        (Self::BarcodeSvg, "barcode.svg"),
        (Self::BarcodePng, "barcode.png"),
        (Self::SoundWav, "sound.wav"),
    ];

    /// By its file name, `qr.svg` and so on.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(_, known)| *known == name)
            .map(|(form, _)| form)
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::QrSvg | Self::BarcodeSvg => "image/svg+xml",
            Self::QrPng | Self::BarcodePng => "image/png",
            Self::SoundWav => "audio/wav",
        }
    }
}

/// Pixels a module of a PNG.
const SCALE: u32 = 8;
const BARCODE_HEIGHT: u32 = 40;
/// Percent of full scale.
const VOLUME: u8 = 60;

/// The digits of `code` in `form`. `title` is read aloud instead of the picture; it must not contain the digits.
pub fn render(code: &CodeText, form: Form, title: &str) -> Result<Vec<u8>, SymbolError> {
    let digits = code.as_str();
    let height_modules = BARCODE_HEIGHT;
    let caption = code128::Caption::Hidden;
    match form {
        Form::QrSvg => qr::svg(digits, &qr::SvgOptions { title }).map(String::into_bytes),
        Form::QrPng => qr::png(digits, SCALE),
        Form::BarcodeSvg => code128::svg(
            digits,
            &code128::SvgOptions {
                title,
                height_modules,
                caption,
            },
        )
        .map(String::into_bytes),
        Form::BarcodePng => code128::png(
            digits,
            &code128::PngOptions {
                scale: SCALE / 2,
                height_modules,
            },
        ),
        Form::SoundWav => sound::wav(digits, VOLUME),
    }
}
