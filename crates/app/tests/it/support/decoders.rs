//! Receivers that are not ours: zbar and zxing-cpp for pictures (SVG drawn by librsvg), ggwave for sound.
//!
//! A missing receiver fails the test. The Python that holds zxing-cpp and ggwave is named by `ONESCAN_TEST_PYTHON`, else it
//! is `target/test-tools/venv/bin/python`, where `cargo xtask test` puts it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Kinds of symbol, by the names of zbar's switch and of zxing-cpp.
#[derive(Debug, Clone, Copy)]
pub struct Symbol {
    zbar: &'static str,
    zxing: &'static str,
}

pub const QR: Symbol = Symbol {
    zbar: "qrcode",
    zxing: "QR Code",
};
pub const BARCODE: Symbol = Symbol {
    zbar: "code128",
    zxing: "Code 128",
};

/// A folder for what is given to the decoders; gone with the test.
#[derive(Debug)]
pub struct Decoders(tempfile::TempDir);

impl Decoders {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What zbar reads in a picture, and zxing-cpp too; they must agree.
    pub fn read_png(&self, symbol: Symbol, png: &[u8]) -> String {
        let path = self.write("symbol.png", png);
        let mut zbar = Command::new("zbarimg");
        zbar.args(["--quiet", "--nodbus", "--raw", "-Sdisable", "-S"]);
        let by_zbar = run(zbar.arg(format!("{}.enable", symbol.zbar)).arg(&path));
        let by_zxing = run(python("read_symbols.py").arg(&path));
        let (kind, text) = by_zxing.split_once('\t').unwrap();
        assert_eq!((kind, unhex(text)), (symbol.zxing, by_zbar.clone()));
        by_zbar
    }

    /// As [`Self::read_png`], drawn at a width that is no multiple of the modules'.
    pub fn read_svg(&self, symbol: Symbol, svg: &str) -> String {
        let drawing = self.write("symbol.svg", svg.as_bytes());
        let picture = self.0.path().join("drawn.png");
        let mut draw = Command::new("rsvg-convert");
        draw.args(["--width", "503", "--keep-aspect-ratio", "--output"]);
        run(draw.arg(&picture).arg(&drawing));
        self.read_png(symbol, &std::fs::read(picture).unwrap())
    }

    pub fn hear(&self, wav: &[u8]) -> String {
        let path = self.write("sound.wav", wav);
        unhex(&run(python("hear_sounds.py").arg("0").arg(path)))
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// The Python with the tools of the tests.
pub fn python_path() -> PathBuf {
    let own = || root().join("target/test-tools/venv/bin/python");
    std::env::var_os("ONESCAN_TEST_PYTHON").map_or_else(own, PathBuf::from)
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn python(script: &str) -> Command {
    let mut command = Command::new(python_path());
    command.arg(root().join("crates/symbols/tests/tools").join(script));
    command
}

/// What a program prints, without the last line's end.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not start ({error}); `cargo xtask test` installs it"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn unhex(text: &str) -> String {
    let bytes = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}
