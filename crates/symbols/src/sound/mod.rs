//! A sender of the ggwave protocol "audible fast", which phones and tills hear with free receivers.
//!
//! Tones lie 46.875 Hz apart, one for each of 96 bins from 1,875 Hz up, so that a frame of 1,024
//! samples at 48 kHz holds a whole number of waves of each. A message is
//!
//! 1. the start marker: 16 tones at once for 16 frames;
//! 2. the packet, 3 bytes at a time for 6 frames, each half byte one of 16 tones: length and its
//!    2 parity bytes, then the payload and its parity bytes;
//! 3. the end marker: the 16 tones beside those of the start marker.
//!
//! A short silence stands on both sides because loudspeakers swallow the first milliseconds. 18
//! digits last about two seconds.
//!
//! Invariant: the sum of all tones never exceeds full scale, so nothing is clipped.
//!
//! Row S09. Source: S \[19\], \[68\]-\[70\]; ggwave 0.4 as its receiver reads it.

mod reed_solomon;
mod wav;

use std::f32::consts::TAU;
use std::iter;

use crate::SymbolError;

/// The longest payload.
pub const BYTES_MAX: usize = 140;

const SAMPLE_RATE: u32 = 48_000;
const FRAME_SAMPLES: usize = 1024;

/// The bin of tone 0, in waves per frame.
const FIRST_BIN: usize = 40;

const BLOCK_BYTES: usize = 3;
const BLOCK_FRAMES: usize = 6;

const MARKER_TONES: usize = 16;
const MARKER_FRAMES: usize = 16;

/// Silence before and after the message.
const PAUSE_FRAMES: usize = 4;

const LENGTH_PARITY_BYTES: usize = 2;

/// The sound of `text` as a WAV file: one channel, 16 bits, 48 kHz.
///
/// `text`: 1 to [`BYTES_MAX`] bytes of UTF-8. `volume`: percent of full scale, 1 to 100; below
/// about 10 a phone across a counter is hard to hear. Of payloads under 9 bytes ggwave's receiver
/// mishears some, whoever sent them: their parity is too thin.
pub fn wav(text: &str, volume: u8) -> Result<Vec<u8>, SymbolError> {
    let payload = text.as_bytes();
    if payload.is_empty() {
        return Err(SymbolError::Empty);
    }
    if payload.len() > BYTES_MAX {
        return Err(SymbolError::TooLong {
            length: payload.len(),
            max: BYTES_MAX,
        });
    }
    if !(1..=100).contains(&volume) {
        return Err(SymbolError::VolumeOutOfRange { volume });
    }
    let samples = Synthesiser::new(volume).play(&packet(payload));
    Ok(wav::file(&samples, SAMPLE_RATE))
}

/// Length and payload, each followed by its parity, filled up with zeros to whole blocks.
fn packet(payload: &[u8]) -> Vec<u8> {
    let length = [payload.len() as u8];
    let mut packet = length.to_vec();
    packet.extend(reed_solomon::parity(&length, LENGTH_PARITY_BYTES));
    packet.extend(payload);
    packet.extend(reed_solomon::parity(payload, parity_bytes(payload.len())));
    packet.resize(packet.len().next_multiple_of(BLOCK_BYTES), 0);
    packet
}

/// Parity bytes for a payload of `length` bytes: two in five, but at least 2, and 4 from 4 bytes on.
fn parity_bytes(length: usize) -> usize {
    if length < 4 { 2 } else { (length / 5 * 2).max(4) }
}

/// The tones of one block: low half byte first, 16 tones further on for each half byte.
fn block_tones(block: &[u8; BLOCK_BYTES]) -> [usize; 2 * BLOCK_BYTES] {
    std::array::from_fn(|half| {
        let byte = block[half / 2];
        let nibble = if half % 2 == 0 { byte & 0x0f } else { byte >> 4 };
        16 * half + usize::from(nibble)
    })
}

/// Tones 0, 3, 4, 7, 8 … at the start.
fn start_marker() -> [usize; MARKER_TONES] {
    std::array::from_fn(|pair| 2 * pair + pair % 2)
}

/// Tones 1, 2, 5, 6, 9 … at the end: of each pair the one that the start left out.
fn end_marker() -> [usize; MARKER_TONES] {
    std::array::from_fn(|pair| 2 * pair + 1 - pair % 2)
}

/// Adds up sine waves into samples.
#[derive(Debug)]
struct Synthesiser {
    /// One wave of full height over a frame; tone k reads every k-th entry.
    sine: Vec<f32>,
    peak: f32,
    samples: Vec<i16>,
}

impl Synthesiser {
    fn new(volume: u8) -> Self {
        let angle = |index: usize| TAU * index as f32 / FRAME_SAMPLES as f32;
        Self {
            sine: (0..FRAME_SAMPLES).map(|index| angle(index).sin()).collect(),
            peak: f32::from(i16::MAX) * f32::from(volume) / 100.0,
            samples: Vec::new(),
        }
    }

    fn play(mut self, packet: &[u8]) -> Vec<i16> {
        let (blocks, rest) = packet.as_chunks::<BLOCK_BYTES>();
        assert!(rest.is_empty(), "a packet is filled up to whole blocks");
        let frames = blocks.len() * BLOCK_FRAMES + 2 * (MARKER_FRAMES + PAUSE_FRAMES);
        self.samples.reserve(frames * FRAME_SAMPLES);
        self.pause();
        self.chord(&start_marker(), MARKER_FRAMES);
        for block in blocks {
            self.chord(&block_tones(block), BLOCK_FRAMES);
        }
        self.chord(&end_marker(), MARKER_FRAMES);
        self.pause();
        self.samples
    }

    fn pause(&mut self) {
        self.samples.extend(iter::repeat_n(0, PAUSE_FRAMES * FRAME_SAMPLES));
    }

    /// Plays `tones` together for `frames`, swelling and fading to spare the ear the clicks.
    fn chord(&mut self, tones: &[usize], frames: usize) {
        let length = frames * FRAME_SAMPLES;
        let frame = self.frame(tones);
        let swelled = (0..length).map(|place| frame[place % FRAME_SAMPLES] * envelope(place, length));
        self.samples.extend(swelled.map(|sample| sample as i16));
    }

    /// One frame of `tones`, each with an equal share of the peak.
    fn frame(&self, tones: &[usize]) -> Vec<f32> {
        let share = self.peak / tones.len() as f32;
        let sum = |place: usize| tones.iter().map(|&tone| self.tone(tone, place)).sum::<f32>();
        (0..FRAME_SAMPLES).map(|place| share * sum(place)).collect()
    }

    /// Each pair of tones starts at a phase of its own, so that their peaks do not all coincide.
    fn tone(&self, tone: usize, place: usize) -> f32 {
        let phase = tone / 2 * FRAME_SAMPLES / 48;
        self.sine[((FIRST_BIN + tone) * place + phase) % FRAME_SAMPLES]
    }
}

/// Rises over the first 15 % of `length`, falls over the last 15 %, and is 1 between.
fn envelope(place: usize, length: usize) -> f32 {
    let ramp = 0.15 * length as f32;
    let from_edge = place.min(length - place) as f32;
    (from_edge / ramp).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_length_payload_and_parity_in_whole_blocks() {
        let packet = packet(b"281234567890123456");
        assert_eq!(packet.len(), 27);
        assert_eq!(packet[0], 18);
        assert_eq!(packet[3..21], *b"281234567890123456");
        assert_eq!(super::packet(b"7").len(), 6);
    }

    #[test]
    fn parity_grows_with_the_payload() {
        let counts = [1, 3, 4, 14, 15, 18, 20, 140].map(parity_bytes);
        assert_eq!(counts, [2, 2, 4, 4, 6, 6, 8, 56]);
    }

    #[test]
    fn each_half_byte_has_sixteen_tones_of_its_own() {
        assert_eq!(block_tones(&[0x00, 0x00, 0x00]), [0, 16, 32, 48, 64, 80]);
        assert_eq!(block_tones(&[0x21, 0x43, 0xf5]), [1, 18, 35, 52, 69, 95]);
    }

    #[test]
    fn the_markers_share_the_first_32_tones() {
        let mut tones = [start_marker(), end_marker()].concat();
        assert_eq!(start_marker()[..4], [0, 3, 4, 7]);
        assert_eq!(end_marker()[..4], [1, 2, 5, 6]);
        tones.sort_unstable();
        assert_eq!(tones, (0..32).collect::<Vec<_>>());
    }

    #[test]
    fn a_code_lasts_two_seconds() {
        let file = wav("281234567890123456", 50).expect("18 digits");
        let frames = 9 * BLOCK_FRAMES + 2 * (MARKER_FRAMES + PAUSE_FRAMES);
        assert_eq!(file.len(), 44 + 2 * frames * FRAME_SAMPLES);
        assert_eq!(frames * FRAME_SAMPLES / (SAMPLE_RATE as usize / 10), 20);
    }

    #[test]
    fn the_volume_sets_the_peak_and_nothing_clips() {
        let peak = |volume| {
            let samples = Synthesiser::new(volume).play(&packet(b"281234567890123456"));
            samples.iter().map(|sample| sample.unsigned_abs()).max()
        };
        let full = peak(100).expect("samples");
        assert!((10_000..32_767).contains(&full), "{full}");
        let tenth = peak(10).expect("samples");
        assert!(full.abs_diff(tenth * 10) <= 10, "{full} and {tenth}");
    }

    #[test]
    fn refuses_what_it_cannot_carry() {
        let too_long = "付".repeat(47);
        let cases = [
            ("", 50, SymbolError::Empty),
            (&too_long, 50, SymbolError::TooLong { length: 141, max: 140 }),
            ("7", 0, SymbolError::VolumeOutOfRange { volume: 0 }),
            ("7", 101, SymbolError::VolumeOutOfRange { volume: 101 }),
        ];
        for (text, volume, refusal) in cases {
            assert_eq!(wav(text, volume), Err(refusal));
        }
    }
}
