//! Black and white pictures as PNG, one bit a pixel.

use crate::SymbolError;

/// The most pixels one module may be wide; the largest QR code then stays under 18 MB in memory.
pub const SCALE_MAX: u32 = 64;

/// A picture of `width` × `height` modules, each `scale` pixels wide and high.
///
/// `is_dark` is asked once for each module, with x and y from the upper left corner.
pub(crate) fn png(
    (width, height): (u32, u32),
    scale: u32,
    is_dark: impl Fn(u32, u32) -> bool,
) -> Result<Vec<u8>, SymbolError> {
    if !(1..=SCALE_MAX).contains(&scale) {
        return Err(SymbolError::ScaleOutOfRange { scale, max: SCALE_MAX });
    }
    let mut pixels = Vec::new();
    for y in 0..height {
        let row = pixel_row(width, scale, |x| is_dark(x, y));
        for _ in 0..scale {
            pixels.extend_from_slice(&row);
        }
    }
    Ok(encode(width * scale, height * scale, &pixels))
}

/// Packs one row of modules, highest bit first; a set bit is white.
fn pixel_row(width: u32, scale: u32, is_dark: impl Fn(u32) -> bool) -> Vec<u8> {
    let mut row = vec![0xff; (width * scale).div_ceil(8) as usize];
    for x in (0..width).filter(|&x| is_dark(x)) {
        for pixel in x * scale..(x + 1) * scale {
            row[pixel as usize / 8] &= !(0x80 >> (pixel % 8));
        }
    }
    row
}

fn encode(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder
        .write_header()
        .expect("writing to memory, width and height are at least 1");
    writer
        .write_image_data(pixels)
        .expect("writing to memory, as many rows as the header says");
    drop(writer);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_modules_from_the_left_with_white_as_set_bits() {
        assert_eq!(pixel_row(3, 3, |x| x != 1), [0b0001_1100, 0b0111_1111]);
    }

    #[test]
    fn refuses_scales_out_of_range() {
        for scale in [0, SCALE_MAX + 1, u32::MAX] {
            assert_eq!(
                png((1, 1), scale, |_, _| true),
                Err(SymbolError::ScaleOutOfRange { scale, max: SCALE_MAX })
            );
        }
    }

    #[test]
    fn the_file_reads_back_as_drawn() {
        let file = png((2, 2), 4, |x, y| x == y).expect("a small picture");
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .expect("a PNG header");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a known size")];
        let frame = reader.next_frame(&mut pixels).expect("image data");
        assert_eq!((frame.width, frame.height), (8, 8));
        assert_eq!(frame.bit_depth, png::BitDepth::One);
        assert_eq!(pixels, [0x0f, 0x0f, 0x0f, 0x0f, 0xf0, 0xf0, 0xf0, 0xf0]);
    }
}
