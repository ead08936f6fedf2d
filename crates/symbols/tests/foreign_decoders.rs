//! Proof that receivers which are not ours read what this crate makes: zbar and zxing-cpp the
//! pictures (the SVG ones drawn by librsvg), ggwave the sound.
//!
//! A missing receiver fails the test; nothing is skipped. The Python that holds zxing-cpp and
//! ggwave is named by `ONESCAN_TEST_PYTHON`, else `target/test-tools/venv/bin/python`.
//!
//! Row S09.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use onescan_symbols::code128::{self, Caption};
use onescan_symbols::{qr, sound};

const INSTALL: &str = "`cargo xtask test` installs every decoder these tests need";

/// 18-digit codes from a fixed seed, and the two extremes.
fn codes() -> Vec<String> {
    let mut codes = vec!["0".repeat(18), "9".repeat(18)];
    codes.extend((1..=8).map(|seed| digits(18, seed)));
    codes
}

/// `count` digits drawn with a multiplicative generator started at `seed`.
fn digits(count: usize, seed: u64) -> String {
    let mut state = seed;
    let mut digit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + (state >> 33) as u8 % 10)
    };
    (0..count).map(|_| digit()).collect()
}

/// A place for the files of one test, which no other test shares.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).expect("the folder for test files can be made");
    folder
}

/// Writes each file as `folder/0.extension`, `folder/1.extension` …
fn write_all(folder: &Path, extension: &str, files: impl IntoIterator<Item = Vec<u8>>) -> Vec<PathBuf> {
    let write = |(index, content): (usize, Vec<u8>)| {
        let path = folder.join(format!("{index}.{extension}"));
        fs::write(&path, content).expect("a test file can be written");
        path
    };
    files.into_iter().enumerate().map(write).collect()
}

fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program:?} does not start ({error}); {INSTALL}"));
    assert!(
        output.status.success(),
        "{program:?}: {}\n{}; {INSTALL}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn stdout_lines(command: &mut Command) -> Vec<String> {
    let output = String::from_utf8(run(command).stdout).expect("decoders print UTF-8");
    output.lines().map(str::to_owned).collect()
}

fn python(script: &str) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = env::var_os("ONESCAN_TEST_PYTHON").map_or_else(
        || manifest.join("../../target/test-tools/venv/bin/python"),
        PathBuf::from,
    );
    let mut command = Command::new(python);
    command.arg(manifest.join("tests/tools").join(script));
    command
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// zbar reads each picture alone, looking for one kind of symbol.
#[track_caller]
fn check_zbar(pictures: &[PathBuf], switch: &str, texts: &[String]) {
    for (picture, text) in pictures.iter().zip(texts) {
        let mut zbar = Command::new("zbarimg");
        zbar.args(["--quiet", "--nodbus", "--raw", "-Sdisable", "-S"]);
        zbar.arg(format!("{switch}.enable")).arg(picture);
        assert_eq!(stdout_lines(&mut zbar), [text.as_str()], "{picture:?}");
    }
}

#[track_caller]
fn check_zxing(pictures: &[PathBuf], kind: &str, texts: &[String]) {
    let read = stdout_lines(python("read_symbols.py").args(pictures));
    let expected: Vec<String> = texts.iter().map(|text| format!("{kind}\t{}", hex(text))).collect();
    assert_eq!(read, expected);
}

/// Draws each SVG at `width` pixels, which need not be a multiple of its modules.
fn drawn(drawings: &[PathBuf], width: u32) -> Vec<PathBuf> {
    let draw = |drawing: &PathBuf| {
        let picture = drawing.with_extension("svg.png");
        let mut rsvg = Command::new("rsvg-convert");
        rsvg.arg("--width").arg(width.to_string()).arg("--keep-aspect-ratio");
        run(rsvg.arg("--output").arg(&picture).arg(drawing));
        picture
    };
    drawings.iter().map(draw).collect()
}

#[track_caller]
fn check_sounds(folder: &str, texts: &[String], volume: u8, noise: &str) {
    let sounds = texts
        .iter()
        .map(|text| sound::wav(text, volume).expect("a text that fits"));
    let files = write_all(&self::folder(folder), "wav", sounds);
    let heard = stdout_lines(python("hear_sounds.py").arg(noise).args(files));
    let expected: Vec<String> = texts.iter().map(|text| hex(text)).collect();
    assert_eq!(heard, expected);
}

#[test]
fn s09_qr_png_is_read() {
    let codes = codes();
    let pictures = codes.iter().map(|code| qr::png(code, 4).expect("18 digits"));
    let pictures = write_all(&folder("qr_png"), "png", pictures);
    check_zbar(&pictures, "qrcode", &codes);
    check_zxing(&pictures, "QR Code", &codes);
}

#[test]
fn s09_qr_svg_is_read() {
    let codes = codes();
    let options = qr::SvgOptions {
        title: "Payment code <1> & 付款码",
    };
    let drawings = codes
        .iter()
        .map(|code| qr::svg(code, &options).expect("18 digits").into_bytes());
    let drawings = write_all(&folder("qr_svg"), "svg", drawings);
    let pictures = drawn(&drawings, 250);
    check_zbar(&pictures, "qrcode", &codes);
    check_zxing(&pictures, "QR Code", &codes);
}

#[test]
fn s09_qr_of_other_texts_is_read() {
    let texts = [
        "7".to_owned(),
        "HTTPS://EXAMPLE.ORG/A".to_owned(),
        "https://example.org/pay?to=付款码".to_owned(),
        "NCFOXN%TSMAHN-H3ZSUZK+.D0ET9 $*+-./:".repeat(8),
        digits(999, 3),
        "signed ride code ".repeat(60),
    ];
    let pictures = texts.iter().map(|text| qr::png(text, 3).expect("a text that fits"));
    check_zxing(&write_all(&folder("qr_texts"), "png", pictures), "QR Code", &texts);
}

#[test]
fn s09_code_128_png_is_read() {
    let codes = codes();
    let options = code128::PngOptions {
        scale: 2,
        height_modules: 40,
    };
    let pictures = codes
        .iter()
        .map(|code| code128::png(code, &options).expect("18 digits"));
    let pictures = write_all(&folder("code128_png"), "png", pictures);
    check_zbar(&pictures, "code128", &codes);
    check_zxing(&pictures, "Code 128", &codes);
}

#[test]
fn s09_code_128_svg_is_read_with_and_without_caption() {
    let codes = codes();
    for (name, caption) in [("code128_svg", Caption::Hidden), ("code128_caption", Caption::Shown)] {
        let options = code128::SvgOptions {
            title: "Payment code",
            height_modules: 40,
            caption,
        };
        let drawings = codes
            .iter()
            .map(|code| code128::svg(code, &options).expect("18 digits"));
        let drawings = write_all(&folder(name), "svg", drawings.map(String::into_bytes));
        let pictures = drawn(&drawings, 500);
        check_zbar(&pictures, "code128", &codes);
        check_zxing(&pictures, "Code 128", &codes);
    }
}

#[test]
fn s09_code_128_of_every_length_is_read() {
    let texts: Vec<String> = (1..=80).map(|count| digits(count, count as u64)).collect();
    let options = code128::PngOptions {
        scale: 3,
        height_modules: 40,
    };
    let pictures = texts.iter().map(|text| code128::png(text, &options).expect("digits"));
    check_zxing(
        &write_all(&folder("code128_lengths"), "png", pictures),
        "Code 128",
        &texts,
    );
}

#[test]
fn s09_sound_is_heard_at_every_volume() {
    for volume in [1, 50, 100] {
        check_sounds(&format!("sound_{volume}"), &codes(), volume, "0");
    }
}

#[test]
fn s09_sound_is_heard_through_noise() {
    check_sounds("sound_noise", &codes(), 50, "1");
}

/// From 9 bytes on: of shorter payloads ggwave mishears up to one in four of its own sender's too.
#[test]
fn s09_sound_of_other_texts_is_heard() {
    let mut texts: Vec<String> = [9, 14, 15, 17, 19, 64, 139, 140]
        .map(|count| digits(count, count as u64))
        .to_vec();
    texts.push("付款码: 28 & ride".to_owned());
    check_sounds("sound_texts", &texts, 25, "0");
}

#[test]
fn s09_sound_of_every_length_class_has_the_tones_of_the_ggwave_sender() {
    let lengths = (1..=20).chain((22..140).step_by(7)).chain([140]);
    let texts: Vec<String> = lengths.map(|count| digits(count, count as u64)).collect();
    let sounds = texts.iter().map(|text| sound::wav(text, 50).expect("a text that fits"));
    let files = write_all(&folder("sound_lengths"), "wav", sounds);
    let mut command = python("match_sounds.py");
    for (text, file) in texts.iter().zip(files) {
        command.arg(hex(text)).arg(file);
    }
    assert_eq!(stdout_lines(&mut command), [texts.len().to_string()]);
}
