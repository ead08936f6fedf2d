//! Folders for documents, and the foreign programs that read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An empty folder under the target folder.
pub fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder can be removed");
    }
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn python() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("ONESCAN_TEST_PYTHON").map_or_else(
        || workspace.join("target/test-tools/venv/bin/python"),
        |python| workspace.join(PathBuf::from(python)),
    )
}

/// What `command` prints; it must end well.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout).expect("the tools print UTF-8")
}

/// The faults that a tool of ours under `tests/tools` prints about the files, one a line.
pub fn faults(tool: &str, files: &[PathBuf]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(tool);
    output_of(Command::new(python()).arg(script).args(files))
}
