//! Folders for documents, and the foreign programs that read them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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
    printed(command, &output)
}

fn printed(command: &Command, output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout.clone()).expect("the tools print UTF-8")
}

fn script(tool: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(tool));
    command
}

/// What a tool of ours under `tests/tools` says about the lines of `input`.
pub fn answers(tool: &str, input: &str) -> String {
    let mut command = script(tool);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("its input is piped");
    pipe.write_all(input.as_bytes())
        .expect("the tool reads all of its input");
    drop(pipe);
    let output = child.wait_with_output().expect("the tool ends");
    printed(&command, &output)
}

/// The faults that a tool of ours under `tests/tools` prints about the files, one a line.
pub fn faults(tool: &str, files: &[PathBuf]) -> String {
    output_of(script(tool).args(files))
}
