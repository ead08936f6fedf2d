//! Text that people type: trimmed, bounded, without control characters.

/// Why a text is refused. The caller knows the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("has {length} characters, at most {max} are allowed")]
    TooLong { length: usize, max: usize },
    #[error("contains a control character at position {position}")]
    ControlCharacter { position: usize },
}

/// Trims `text` and checks it: 1 to `max` characters, none of them a control character (which includes line ends and NUL,
/// a character PostgreSQL cannot keep).
pub fn line(text: &str, max: usize) -> Result<String, TextError> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(TextError::Empty);
    }
    if length > max {
        return Err(TextError::TooLong { length, max });
    }
    match text.chars().position(char::is_control) {
        Some(position) => Err(TextError::ControlCharacter { position }),
        None => Ok(text.to_owned()),
    }
}

/// Like [`line()`], but empty or white text is `None`.
pub fn optional_line(text: Option<&str>, max: usize) -> Result<Option<String>, TextError> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => line(text, max).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_bounded_in_characters() {
        assert_eq!(line("  李雷 ", 2).as_deref(), Ok("李雷"));
        assert_eq!(line("李雷雷", 2), Err(TextError::TooLong { length: 3, max: 2 }));
        assert_eq!(line(" \t", 9), Err(TextError::Empty));
        assert_eq!(line("a\u{0}b", 9), Err(TextError::ControlCharacter { position: 1 }));
        assert_eq!(optional_line(Some(" "), 9), Ok(None));
    }
}
