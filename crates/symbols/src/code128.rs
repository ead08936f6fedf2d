//! Code 128 barcodes of digits: code set C, two digits a symbol, and set B for the last digit of an
//! odd number of them.
//!
//! Invariant: a picture always carries its own white quiet zone of 10 modules at both ends.
//!
//! Row S09. Source: S \[68\]-\[70\]; ISO/IEC 15417.

use crate::svg::Drawing;
use crate::{SymbolError, raster};

/// The most digits in one symbol: more are too wide for a hand scanner.
pub const DIGITS_MAX: usize = 80;

/// The most modules the bars may be high.
pub const HEIGHT_MODULES_MAX: u32 = 400;

/// White modules before the first and after the last bar.
const QUIET_ZONE: u32 = 10;

/// Modules that a caption adds below the bars.
const CAPTION_HEIGHT: u32 = 13;

const CODE_B: u8 = 100;
const START_B: u8 = 104;
const START_C: u8 = 105;
const STOP: u8 = 106;

/// Widths of bars and spaces in turn, starting with a bar, by symbol value.
#[rustfmt::skip]
const WIDTHS: [&[u8]; 107] = [
    b"212222", b"222122", b"222221", b"121223", b"121322", b"131222", b"122213", b"122312",
    b"132212", b"221213", b"221312", b"231212", b"112232", b"122132", b"122231", b"113222",
    b"123122", b"123221", b"223211", b"221132", b"221231", b"213212", b"223112", b"312131",
    b"311222", b"321122", b"321221", b"312212", b"322112", b"322211", b"212123", b"212321",
    b"232121", b"111323", b"131123", b"131321", b"112313", b"132113", b"132311", b"211313",
    b"231113", b"231311", b"112133", b"112331", b"132131", b"113123", b"113321", b"133121",
    b"313121", b"211331", b"231131", b"213113", b"213311", b"213131", b"311123", b"311321",
    b"331121", b"312113", b"312311", b"332111", b"314111", b"221411", b"431111", b"111224",
    b"111422", b"121124", b"121421", b"141122", b"141221", b"112214", b"112412", b"122114",
    b"122411", b"142112", b"142211", b"241211", b"221114", b"413111", b"241112", b"134111",
    b"111242", b"121142", b"121241", b"114212", b"124112", b"124211", b"411212", b"421112",
    b"421211", b"212141", b"214121", b"412121", b"111143", b"111341", b"131141", b"114113",
    b"114311", b"411113", b"411311", b"113141", b"114131", b"311141", b"411131", b"211412",
    b"211214", b"211232", b"2331112",
];

/// Whether the digits also stand below the bars, for a person to read or type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caption {
    Hidden,
    Shown,
}

/// What an SVG picture says beside the symbol, and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvgOptions<'a> {
    /// Read out instead of the picture; never put the code itself here.
    pub title: &'a str,
    /// From 1 to [`HEIGHT_MODULES_MAX`]; 18 digits are 154 modules wide.
    pub height_modules: u32,
    pub caption: Caption,
}

/// The size of a PNG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PngOptions {
    /// Pixels a module, from 1 to [`SCALE_MAX`](crate::SCALE_MAX).
    pub scale: u32,
    /// From 1 to [`HEIGHT_MODULES_MAX`]; 18 digits are 154 modules wide.
    pub height_modules: u32,
}

/// A picture without a size of its own: one module is one unit of its `viewBox`.
///
/// `digits`: 1 to [`DIGITS_MAX`]. Always black on white, in a dark page too.
pub fn svg(digits: &str, options: &SvgOptions) -> Result<String, SymbolError> {
    let strip = Strip::of(digits)?;
    let height = checked_height(options.height_modules)?;
    let (height_in_all, caption) = match options.caption {
        Caption::Hidden => (height, None),
        Caption::Shown => (height + CAPTION_HEIGHT, Some(digits)),
    };
    let mut drawing = Drawing::new((strip.width, height_in_all), options.title);
    for &(x, width) in &strip.bars {
        drawing.bar((x, 0), width, height);
    }
    Ok(match caption {
        None => drawing.finish(),
        Some(digits) => drawing.finish_with_caption((strip.width / 2, height + 10), digits),
    })
}

/// A PNG without caption. `digits`: 1 to [`DIGITS_MAX`].
pub fn png(digits: &str, options: &PngOptions) -> Result<Vec<u8>, SymbolError> {
    let strip = Strip::of(digits)?;
    let height = checked_height(options.height_modules)?;
    let mut dark = vec![false; strip.width as usize];
    for &(x, width) in &strip.bars {
        dark[x as usize..(x + width) as usize].fill(true);
    }
    raster::png((strip.width, height), options.scale, |x, _| dark[x as usize])
}

fn checked_height(height_modules: u32) -> Result<u32, SymbolError> {
    if (1..=HEIGHT_MODULES_MAX).contains(&height_modules) {
        Ok(height_modules)
    } else {
        Err(SymbolError::HeightOutOfRange {
            height_modules,
            max: HEIGHT_MODULES_MAX,
        })
    }
}

/// Start and width of each black bar, in modules from the left edge of the quiet zone.
#[derive(Debug)]
struct Strip {
    width: u32,
    bars: Vec<(u32, u32)>,
}

impl Strip {
    fn of(digits: &str) -> Result<Self, SymbolError> {
        let values = symbol_values(checked_digits(digits)?);
        let mut x = QUIET_ZONE;
        let mut bars = Vec::with_capacity(values.len() * 3 + 1);
        for value in values {
            for (index, width) in WIDTHS[usize::from(value)].iter().enumerate() {
                let width = u32::from(width - b'0');
                if index % 2 == 0 {
                    bars.push((x, width));
                }
                x += width;
            }
        }
        Ok(Self {
            width: x + QUIET_ZONE,
            bars,
        })
    }
}

fn checked_digits(digits: &str) -> Result<&[u8], SymbolError> {
    if digits.is_empty() {
        return Err(SymbolError::Empty);
    }
    if digits.len() > DIGITS_MAX {
        return Err(SymbolError::TooLong {
            length: digits.len(),
            max: DIGITS_MAX,
        });
    }
    match digits.bytes().position(|byte| !byte.is_ascii_digit()) {
        Some(position) => Err(SymbolError::NotDigits { position }),
        None => Ok(digits.as_bytes()),
    }
}

/// Start, data, check symbol and stop.
///
/// A single digit starts in set B at once; otherwise the pairs come first, in set C.
fn symbol_values(digits: &[u8]) -> Vec<u8> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut values = Vec::with_capacity(pairs.len() + 5);
    values.push(if pairs.is_empty() { START_B } else { START_C });
    values.extend(pairs.iter().map(|[tens, units]| (tens - b'0') * 10 + (units - b'0')));
    if let [last] = rest {
        if !pairs.is_empty() {
            values.push(CODE_B);
        }
        values.push(last - b' ');
    }
    values.push(check_value(&values));
    values.push(STOP);
    values
}

/// The start symbol counts once, the n-th symbol after it n times; the sum is taken modulo 103.
fn check_value(values: &[u8]) -> u8 {
    let weighted = values
        .iter()
        .zip(0_u32..)
        .map(|(&value, place)| u32::from(value) * place.max(1));
    (weighted.sum::<u32>() % 103) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_values(digits: &str, values: &[u8]) {
        assert_eq!(symbol_values(digits.as_bytes()), values);
    }

    #[test]
    fn pairs_stand_in_set_c_and_a_last_digit_in_set_b() {
        // 105 + 12·1 + 34·2 + 56·3 + 78·4 = 665 = 6·103 + 47
        check_values("12345678", &[105, 12, 34, 56, 78, 47, 106]);
        // 105 + 12·1 + 100·2 + 19·3 = 374 = 3·103 + 65
        check_values("123", &[105, 12, 100, 19, 65, 106]);
        // 104 + 23·1 = 127 = 103 + 24
        check_values("7", &[104, 23, 24, 106]);
        check_values("00", &[105, 0, 2, 106]);
    }

    #[test]
    fn the_check_value_of_a_text_with_letters_is_the_published_one() {
        // "PJJ123C" in set A: a widely printed example whose check value is 54.
        assert_eq!(check_value(&[103, 48, 42, 42, 17, 18, 19, 35]), 54);
    }

    #[test]
    fn every_symbol_is_11_modules_wide_with_an_even_number_of_dark_ones() {
        for (value, widths) in WIDTHS.iter().enumerate().take(106) {
            let widths: Vec<u32> = widths.iter().map(|width| u32::from(width - b'0')).collect();
            assert_eq!(widths.len(), 6, "symbol {value}");
            assert_eq!(widths.iter().sum::<u32>(), 11, "symbol {value}");
            let dark: u32 = widths.iter().step_by(2).sum();
            assert_eq!(dark % 2, 0, "symbol {value}");
        }
        let distinct: std::collections::BTreeSet<_> = WIDTHS.iter().collect();
        assert_eq!(distinct.len(), WIDTHS.len());
    }

    #[test]
    fn a_strip_of_18_digits_is_154_modules_wide() {
        let strip = Strip::of("281234567890123456").expect("18 digits");
        assert_eq!(strip.width, 154);
        assert_eq!(strip.bars.first(), Some(&(10, 2)));
        assert_eq!(strip.bars.last(), Some(&(142, 2)));
    }

    #[test]
    fn refuses_what_it_cannot_carry() {
        let too_long = "7".repeat(81);
        let cases = [
            ("", 40, SymbolError::Empty),
            (&too_long, 40, SymbolError::TooLong { length: 81, max: 80 }),
            ("12a4", 40, SymbolError::NotDigits { position: 2 }),
            ("１２", 40, SymbolError::NotDigits { position: 0 }),
            (
                "12",
                0,
                SymbolError::HeightOutOfRange {
                    height_modules: 0,
                    max: 400,
                },
            ),
            (
                "12",
                401,
                SymbolError::HeightOutOfRange {
                    height_modules: 401,
                    max: 400,
                },
            ),
        ];
        for (digits, height_modules, refusal) in cases {
            let options = SvgOptions {
                title: "t",
                height_modules,
                caption: Caption::Shown,
            };
            assert_eq!(svg(digits, &options), Err(refusal.clone()));
            let options = PngOptions {
                scale: 1,
                height_modules,
            };
            assert_eq!(png(digits, &options), Err(refusal));
        }
    }

    #[test]
    fn the_caption_stands_below_the_bars() {
        let options = |caption| SvgOptions {
            title: "Pay",
            height_modules: 40,
            caption,
        };
        let hidden = svg("1234", &options(Caption::Hidden)).expect("4 digits");
        assert!(hidden.contains("viewBox=\"0 0 77 40\""));
        assert!(!hidden.contains("1234"));
        let shown = svg("1234", &options(Caption::Shown)).expect("4 digits");
        assert!(shown.contains("viewBox=\"0 0 77 53\""));
        assert!(shown.contains("y=\"50\"") && shown.contains(">1234</text>"));
    }
}
