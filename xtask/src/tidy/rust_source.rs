//! Reads Rust source far enough for the rules: what is code, what is comment, which attributes, which modules.
//!
//! A text scan, not a parser: it knows comments, strings and brackets, and nothing of macros.

use std::ops::Range;

/// One source file taken apart. `code` and `comments` are as long as the text, with spaces for all that is
/// not theirs (strings belong to neither), so that offsets and line numbers hold in all three.
#[derive(Debug)]
pub struct RustSource<'a> {
    text: &'a str,
    pub code: String,
    pub comments: String,
}

/// `#[…]` or `#![…]`.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub offset: usize,
    /// What stands between the brackets, strings blanked.
    pub content: &'a str,
}

/// A file that the source names: `mod name;` or `include!("name.rs")`.
#[derive(Debug, PartialEq, Eq)]
pub enum Named {
    /// `inside`: the inline modules around it, outermost first.
    Module { inside: Vec<String>, name: String },
    /// Of `include!` and of `#[path = "…"]`, relative to the folder of this file.
    File(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Text,
}

impl<'a> RustSource<'a> {
    pub fn new(text: &'a str) -> Self {
        let mut code = Vec::with_capacity(text.len());
        let mut comments = Vec::with_capacity(text.len());
        for (part, range) in parts(text.as_bytes()) {
            for &byte in &text.as_bytes()[range] {
                let seen_in = |wanted| match byte {
                    b'\n' => b'\n',
                    byte if part == wanted && byte.is_ascii() => byte,
                    _ => b' ',
                };
                code.push(seen_in(Part::Code));
                comments.push(seen_in(Part::Comment));
            }
        }
        let ascii = |bytes| String::from_utf8(bytes).expect("every byte above is ASCII");
        Self {
            text,
            code: ascii(code),
            comments: ascii(comments),
        }
    }

    /// Counted from 1.
    pub fn line_of(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    pub fn attributes(&self) -> Vec<Attribute<'_>> {
        let mut found = Vec::new();
        let tokens = tokens(&self.code);
        for (index, (offset, token)) in tokens.iter().enumerate() {
            if *token != "#" {
                continue;
            }
            let after_bang = if token_at(&tokens, index + 1) == "!" {
                index + 2
            } else {
                index + 1
            };
            if token_at(&tokens, after_bang) == "["
                && let Some(end) = closing_bracket(&tokens, after_bang)
            {
                let content = &self.code[tokens[after_bang].0 + 1..tokens[end].0];
                found.push(Attribute {
                    offset: *offset,
                    content,
                });
            }
        }
        found
    }

    /// Every file this one brings in.
    pub fn named_files(&self) -> Vec<Named> {
        let tokens = tokens(&self.code);
        let mut named = Vec::new();
        let mut depth: usize = 0;
        let mut inline: Vec<(usize, String)> = Vec::new();
        for (index, (_, token)) in tokens.iter().enumerate() {
            let next = |count| token_at(&tokens, index + count);
            match *token {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    inline.pop_if(|(opened_at, _)| *opened_at == depth);
                }
                "mod" if next(2) == "{" => inline.push((depth, next(1).to_owned())),
                "mod" if next(2) == ";" => named.push(Named::Module {
                    inside: inline.iter().map(|(_, name)| name.clone()).collect(),
                    name: next(1).to_owned(),
                }),
                "include" if next(1) == "!" => named.extend(self.string_after(&tokens, index + 2)),
                "path" if next(1) == "=" => named.extend(self.string_after(&tokens, index + 1)),
                _ => {}
            }
        }
        named
    }

    /// The plain string that stands between this token and the next.
    fn string_after(&self, tokens: &[(usize, &str)], index: usize) -> Option<Named> {
        let start = tokens.get(index)?.0 + 1;
        let end = tokens.get(index + 1)?.0;
        let text = self.text.get(start..end)?.trim();
        Some(Named::File(text.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
    }
}

/// The words of a text: letters, digits and `_`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_word_letter(letter))
        .filter(|word| !word.is_empty())
}

/// Words and single other signs, each with its offset.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = rest
            .find(|letter| !is_word_letter(letter))
            .unwrap_or(rest.len())
            .max(first.len_utf8());
        if !first.is_whitespace() {
            found.push((code.len() - rest.len(), &rest[..length]));
        }
        rest = &rest[length..];
    }
    found
}

fn token_at<'a>(tokens: &[(usize, &'a str)], index: usize) -> &'a str {
    tokens.get(index).map_or("", |(_, token)| token)
}

fn closing_bracket(tokens: &[(usize, &str)], opening: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, (_, token)) in tokens.iter().enumerate().skip(opening) {
        match *token {
            "[" => depth += 1,
            "]" if depth == 1 => return Some(index),
            "]" => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_word_letter(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric()
}

/// Cuts the source into stretches of code, comment and text, without a gap.
fn parts(source: &[u8]) -> Vec<(Part, Range<usize>)> {
    let mut found = Vec::new();
    let mut code_from = 0;
    let mut at = 0;
    while at < source.len() {
        match other_than_code(source, at) {
            Some((part, end)) => {
                found.push((Part::Code, code_from..at));
                found.push((part, at..end));
                at = end;
                code_from = end;
            }
            // A word is passed whole: the `r` that ends `for` opens no raw string.
            None if is_word_letter(char::from(source[at])) => {
                while at < source.len() && is_word_letter(char::from(source[at])) {
                    at += 1;
                }
            }
            None => at += 1,
        }
    }
    found.push((Part::Code, code_from..source.len()));
    found
}

/// The comment, string or character that begins here, and where it ends.
fn other_than_code(source: &[u8], at: usize) -> Option<(Part, usize)> {
    let rest = &source[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return Some((Part::Comment, at + length));
    }
    if rest.starts_with(b"/*") {
        return Some((Part::Comment, at + block_comment_length(rest)));
    }
    if rest.starts_with(b"'") {
        return character_length(rest).map(|length| (Part::Text, at + length));
    }
    string_length(rest).map(|length| (Part::Text, at + length))
}

fn block_comment_length(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `None` for a lifetime.
fn character_length(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|byte| *byte == b'\'')?;
        return Some(3 + end + 1);
    }
    // One character of any length in UTF-8, then the quote.
    let continued = rest
        .iter()
        .skip(2)
        .take_while(|byte| (0x80..0xC0).contains(*byte))
        .count();
    (rest.get(2 + continued) == Some(&b'\'')).then_some(3 + continued)
}

/// A plain, byte, C or raw string with all its marks.
fn string_length(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().take(2).take_while(|byte| b"bcr".contains(*byte)).count();
    let is_raw = rest[..prefix].contains(&b'r');
    let marks = if is_raw {
        rest[prefix..].iter().take_while(|byte| **byte == b'#').count()
    } else {
        0
    };
    let opening = prefix + marks;
    if rest.get(opening) != Some(&b'"') {
        return None;
    }
    let mut at = opening + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if !is_raw => at += 2,
            b'"' if rest[at + 1..].iter().take(marks).filter(|byte| **byte == b'#').count() == marks => {
                return Some(at + 1 + marks);
            }
            _ => at += 1,
        }
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_code(text: &str, code: &str) {
        let source = RustSource::new(text);
        assert_eq!(source.code.len(), text.len());
        assert_eq!(words_of(&source.code), code, "{text}");
    }

    fn words_of(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_is_what_is_neither_comment_nor_string() {
        check_code("a // b\nc", "a c");
        check_code("a /* b /* c */ d */ e", "a e");
        check_code(r#"a "b // c" d"#, "a d");
        check_code(r#"a "b \" c" d"#, "a d");
        check_code(r##"a r#"b " c"# d"##, "a d");
        check_code(r##"a br#"b"# d b"e" f c"g" h"##, "a d f h");
        check_code("r#type a", "r#type a");
        check_code(r#"for"b" a"#, "for a");
        check_code("fn f<'a>(b: &'a str)", "fn f<'a>(b: &'a str)");
        check_code(r"'b' a '\'' c '\u{4e2d}' d", "a c d");
        check_code("'中' a", "a");
        check_code("\"中\" a", "a");
        check_code(r#"'"' a '"' b"#, "a b");
    }

    #[test]
    fn comments_keep_their_line() {
        let source = RustSource::new("let a = \"x // y\"; // one\n\n/* two\nthree */ b");
        let lines: Vec<&str> = source.comments.lines().map(str::trim).collect();
        assert_eq!(lines, ["// one", "", "/* two", "three */"]);
    }

    #[test]
    fn attributes_are_found_with_their_line() {
        let text = "#![first]\n// #[no]\n#[second(\n  a[1], \"]\"\n)]\nfn f() { let a = \"#[no]\"; }";
        let source = RustSource::new(text);
        let found: Vec<(usize, String)> = source
            .attributes()
            .iter()
            .map(|attribute| (source.line_of(attribute.offset), words_of(attribute.content)))
            .collect();
        assert_eq!(found, [(1, "first".to_owned()), (3, "second( a[1], )".to_owned())]);
    }

    #[test]
    fn named_files_know_the_inline_modules_around_them() {
        let text = r#"
            pub mod a;
            // mod no;
            mod b { pub(crate) mod c { mod d; } mod e; }
            #[path = "other/f.rs"] mod f;
            include!("g.rs");
        "#;
        let module = |inside: &[&str], name: &str| Named::Module {
            inside: inside.iter().map(|name| name.to_string()).collect(),
            name: name.to_owned(),
        };
        let expected = [
            module(&[], "a"),
            module(&["b", "c"], "d"),
            module(&["b"], "e"),
            Named::File("other/f.rs".to_owned()),
            module(&[], "f"),
            Named::File("g.rs".to_owned()),
        ];
        assert_eq!(RustSource::new(text).named_files(), expected);
    }
}
