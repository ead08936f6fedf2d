//! Marks in the source that hide work: a to-do without a row, an ignored test, a silenced lint.

use super::rust_source::{RustSource, words};
use super::{Finding, Tree, assets};

const TO_DO_MARKS: &[&str] = &["TODO", "FIXME"];

/// Where a to-do may stand besides Rust; the whole line is searched there.
const OTHER_SOURCES: &[&str] = &[".css", ".ftl", ".html", ".js", ".mjs", ".py", ".sh", ".sql", ".toml"];

const NAME_THE_ROW: &str = "do it, or name the row (S07, R03) or the issue (#12, issue 12) that will";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(&[".rs"]) {
        let source = RustSource::new(text);
        findings.extend(check_to_do_marks(path, &source.comments));
        findings.extend(check_attributes(path, &source));
    }
    for (path, text) in tree.texts(OTHER_SOURCES).filter(|(path, _)| !assets::is_vendored(path)) {
        findings.extend(check_to_do_marks(path, text));
    }
    findings
}

fn check_to_do_marks(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mark = words(line).find(|word| TO_DO_MARKS.contains(word));
        if let Some(mark) = mark
            && !names_work(line)
        {
            findings.push(Finding::new(
                path,
                index + 1,
                format!("{mark} without a row or an issue"),
                NAME_THE_ROW,
            ));
        }
    }
    findings
}

/// Whether the line names a row of the mission or an issue.
fn names_work(line: &str) -> bool {
    let is_row = |word: &str| {
        let digits = word.strip_prefix(['S', 'R', 's', 'r']).unwrap_or_default();
        digits.len() == 2 && is_number(digits)
    };
    let is_issue_sign = |part: &str| part.starts_with(|letter: char| letter.is_ascii_digit());
    let has_issue_word = words(line)
        .zip(words(line).skip(1))
        .any(|(word, next)| word.eq_ignore_ascii_case("issue") && is_number(next));
    words(line).any(is_row) || line.split('#').skip(1).any(is_issue_sign) || has_issue_word
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_attributes(path: &str, source: &RustSource<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for attribute in source.attributes() {
        let line = source.line_of(attribute.offset);
        if applies(attribute.content, "ignore") {
            let remedy = "run it, or assert today's answer with a note";
            findings.push(Finding::new(path, line, "an ignored test", remedy));
        }
        if applies(attribute.content, "allow") {
            let remedy = "put it right, or write `expect` with a reason";
            findings.push(Finding::new(path, line, "a lint is allowed silently", remedy));
        }
    }
    findings
}

/// Whether the attribute is this one, itself or under a condition.
fn applies(content: &str, name: &str) -> bool {
    let mut words = words(content);
    match words.next() {
        Some("cfg_attr") => words.any(|word| word == name),
        first => first == Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report;

    fn check_file(path: &str, text: &str, expected: &str) {
        assert_eq!(report(&check(&Tree::of_texts(&[(path, text)]))), expected, "{text}");
    }

    #[test]
    fn a_to_do_needs_a_row_or_an_issue() {
        let fault = "a.rs:1: TODO without a row or an issue";
        check_file("a.rs", "// TODO: later", fault);
        check_file("a.rs", "// TODO(S7): later", fault);
        check_file("a.rs", "// TODO: see # and issue", fault);
        check_file("a.rs", "// TODO(S07): later", "");
        check_file("a.rs", "// TODO r03", "");
        check_file("a.rs", "// TODO #12", "");
        check_file("a.rs", "// TODO Issue 12", "");
        check_file("a.rs", "/*\nFIXME */", "a.rs:2: FIXME without a row or an issue");
    }

    #[test]
    fn only_comments_count_in_rust_and_every_line_elsewhere() {
        check_file("a.rs", "const A: &str = \"TODO\"; // TODOS", "");
        check_file("a.sql", "-- TODO", "a.sql:1: TODO without a row or an issue");
        check_file("crates/web/assets/vendor/x/x.js", "// TODO", "");
        check_file("a.md", "TODO", "");
    }

    #[test]
    fn ignored_tests_and_silenced_lints() {
        check_file("a.rs", "\n#[test]\n#[ignore]\nfn f() {}", "a.rs:3: an ignored test");
        check_file("a.rs", "#[ignore = \"slow\"]", "a.rs:1: an ignored test");
        check_file("a.rs", "#[cfg_attr(unix, ignore)]", "a.rs:1: an ignored test");
        check_file("a.rs", "#![allow(dead_code)]", "a.rs:1: a lint is allowed silently");
        check_file(
            "a.rs",
            "#[cfg_attr(\n test, allow(x))]",
            "a.rs:1: a lint is allowed silently",
        );
        check_file("a.rs", "#[expect(x, reason = \"allow\")] fn ignore() { allow(); }", "");
        check_file("a.rs", "// #[ignore]\nconst A: &str = \"#[allow(x)]\";", "");
    }
}
