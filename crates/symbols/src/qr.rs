//! QR codes at error correction level M, in the smallest version that holds the text.
//!
//! Invariant: a picture always carries its own white quiet zone of 4 modules, so that a dark page
//! around it cannot make it unreadable.
//!
//! Row S09. Source: S \[68\]-\[70\]; ISO/IEC 18004.

use fast_qr::{ECL, Mode, QRBuilder};

use crate::svg::Drawing;
use crate::{SymbolError, raster};

/// White modules on each side.
const QUIET_ZONE: u32 = 4;

/// The modules of a QR code, without the quiet zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    size: usize,
    dark: Box<[bool]>,
}

impl Matrix {
    /// Modules on each side: 21 for 18 digits, at most 177.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The modules of each row from the top, `true` where dark.
    pub fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.dark.chunks_exact(self.size)
    }

    fn size_with_quiet_zone(&self) -> u32 {
        self.size as u32 + 2 * QUIET_ZONE
    }
}

/// What an SVG picture says beside the symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvgOptions<'a> {
    /// Read out instead of the picture; never put the code itself here.
    pub title: &'a str,
}

/// The modules for `text`, any text but the empty one.
///
/// The longest is 5,596 digits, 3,391 characters of the alphanumeric set (capitals, digits and
/// `$%*+-./:` with blank), or 2,331 bytes of UTF-8 otherwise.
pub fn matrix(text: &str) -> Result<Matrix, SymbolError> {
    if text.is_empty() {
        return Err(SymbolError::Empty);
    }
    let (mode, max) = mode_of(text);
    let too_long = SymbolError::TooLong {
        length: text.len(),
        max,
    };
    let code = QRBuilder::new(text)
        .mode(mode)
        .ecl(ECL::M)
        .build()
        .map_err(|_| too_long)?;
    Ok(Matrix {
        size: code.size,
        dark: code.data[..code.size * code.size]
            .iter()
            .map(|module| module.value())
            .collect(),
    })
}

/// The shortest way to write `text`, and how many bytes of it the largest version holds.
fn mode_of(text: &str) -> (Mode, usize) {
    let is_alphanumeric = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'Z') || b" $%*+-./:".contains(&byte);
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        (Mode::Numeric, 5_596)
    } else if text.bytes().all(is_alphanumeric) {
        (Mode::Alphanumeric, 3_391)
    } else {
        (Mode::Byte, 2_331)
    }
}

/// A picture without a size of its own: one module is one unit of its `viewBox`.
///
/// Always black on white, in a dark page too.
pub fn svg(text: &str, options: &SvgOptions) -> Result<String, SymbolError> {
    let matrix = matrix(text)?;
    let size = matrix.size_with_quiet_zone();
    let mut drawing = Drawing::new((size, size), options.title);
    for (row, y) in matrix.rows().zip(QUIET_ZONE..) {
        let mut x = QUIET_ZONE;
        for run in row.chunk_by(|left, right| left == right) {
            let length = run.len() as u32;
            if run[0] {
                drawing.bar((x, y), length, 1);
            }
            x += length;
        }
    }
    Ok(drawing.finish())
}

/// A PNG with `scale` pixels a module, from 1 to [`SCALE_MAX`](crate::SCALE_MAX).
pub fn png(text: &str, scale: u32) -> Result<Vec<u8>, SymbolError> {
    let matrix = matrix(text)?;
    let size = matrix.size_with_quiet_zone();
    let inner = QUIET_ZONE..size - QUIET_ZONE;
    raster::png((size, size), scale, |x, y| {
        inner.contains(&x)
            && inner.contains(&y)
            && matrix.dark[(y - QUIET_ZONE) as usize * matrix.size + (x - QUIET_ZONE) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_size(text: &str, size: usize) {
        assert_eq!(matrix(text).expect("text that fits").size(), size);
    }

    #[test]
    fn takes_the_smallest_version() {
        check_size("281234567890123456", 21);
        check_size(&"7".repeat(34), 21);
        check_size(&"7".repeat(35), 25);
        check_size(&"A".repeat(20), 21);
        check_size(&"A".repeat(21), 25);
        check_size("付款码付", 21);
        check_size("付款码付款", 25);
    }

    #[test]
    fn the_largest_texts_fit_and_one_byte_more_does_not() {
        for (unit, max) in [("7", 5_596), ("A", 3_391), ("a", 2_331)] {
            check_size(&unit.repeat(max), 177);
            let length = max + 1;
            assert_eq!(matrix(&unit.repeat(length)), Err(SymbolError::TooLong { length, max }));
        }
    }

    #[test]
    fn refuses_the_empty_text_everywhere() {
        assert_eq!(matrix(""), Err(SymbolError::Empty));
        assert_eq!(svg("", &SvgOptions { title: "t" }), Err(SymbolError::Empty));
        assert_eq!(png("", 4), Err(SymbolError::Empty));
    }

    #[test]
    fn finder_patterns_stand_in_three_corners() {
        let matrix = matrix("281234567890123456").expect("18 digits");
        let rows: Vec<&[bool]> = matrix.rows().collect();
        let ring = |row: &[bool]| row == [true, false, false, false, false, false, true];
        assert_eq!(rows.len(), 21);
        assert_eq!(rows[0][..7], [true; 7]);
        assert_eq!(rows[0][14..], [true; 7]);
        assert!(ring(&rows[1][..7]) && ring(&rows[1][14..]) && ring(&rows[15][..7]));
        assert!(!ring(&rows[15][14..]));
    }

    #[test]
    fn the_svg_has_a_quiet_zone_and_one_path() {
        let svg = svg("281234567890123456", &SvgOptions { title: "Pay" }).expect("18 digits");
        assert!(svg.contains("viewBox=\"0 0 29 29\" role=\"img\""));
        assert!(svg.contains("<title>Pay</title>"));
        assert!(svg.contains("<rect width=\"29\" height=\"29\" fill=\"#fff\"/>"));
        assert!(svg.contains(" d=\"M4 4h7v1h-7z"));
        assert_eq!(svg.matches("<path").count(), 1);
    }
}
