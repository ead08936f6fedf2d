//! The RIFF WAVE container: 16-bit PCM, one channel.

/// A file with `samples` at `sample_rate` a second.
pub(super) fn file(samples: &[i16], sample_rate: u32) -> Vec<u8> {
    const BYTES_PER_SAMPLE: u16 = 2;
    let data_length = u32::try_from(samples.len() * usize::from(BYTES_PER_SAMPLE))
        .expect("the longest sound is under a megabyte and a half");
    let mut file = Vec::with_capacity(44 + data_length as usize);
    file.extend(b"RIFF");
    file.extend((36 + data_length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes()); // integer PCM
    file.extend(1_u16.to_le_bytes()); // channels
    file.extend(sample_rate.to_le_bytes());
    file.extend((sample_rate * u32::from(BYTES_PER_SAMPLE)).to_le_bytes());
    file.extend(BYTES_PER_SAMPLE.to_le_bytes());
    file.extend((8 * BYTES_PER_SAMPLE).to_le_bytes());
    file.extend(b"data");
    file.extend(data_length.to_le_bytes());
    for sample in samples {
        file.extend(sample.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_44_bytes_and_names_every_length() {
        let file = file(&[1, -2], 48_000);
        assert_eq!(file.len(), 48);
        assert_eq!(file[4..8], 40_u32.to_le_bytes());
        assert_eq!(file[24..28], 48_000_u32.to_le_bytes());
        assert_eq!(file[28..32], 96_000_u32.to_le_bytes());
        assert_eq!(file[40..], [4, 0, 0, 0, 1, 0, 0xfe, 0xff]);
    }
}
