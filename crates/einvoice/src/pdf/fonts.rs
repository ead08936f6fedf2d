//! The fonts of a page: which one has a letter, how wide it is, where a line breaks.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use ttf_parser::Face;

const LATIN: &[u8] = include_bytes!("../../fonts/NotoSans-Regular.ttf");
const LATIN_BOLD: &[u8] = include_bytes!("../../fonts/NotoSans-Bold.ttf");
const CHINESE: &[u8] = include_bytes!("../../fonts/NotoSansSC-Regular.ttf");

/// Stands for a letter that no font of ours has, as printers do it (U+3013).
pub(super) const SUBSTITUTE: char = '〓';

/// No line breaks before these.
const CLOSING: &str = "，。、；：！？）》〉」』】”’%,.;:!?)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Which font file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FontId {
    Latin,
    LatinBold,
    Chinese,
}

impl FontId {
    pub(super) const ALL: [Self; 3] = [Self::Latin, Self::LatinBold, Self::Chinese];

    pub(super) fn data(self) -> &'static [u8] {
        match self {
            Self::Latin => LATIN,
            Self::LatinBold => LATIN_BOLD,
            Self::Chinese => CHINESE,
        }
    }
}

/// A piece of text in one font.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub font: FontId,
    pub text: String,
}

pub(super) struct Fonts {
    faces: [Face<'static>; 3],
    /// Letters that were looked up: a page asks for the same few again and again.
    known: RefCell<HashMap<(char, Weight), Letter>>,
}

/// How a letter is drawn.
#[derive(Clone, Copy)]
struct Letter {
    /// `None` when no font has it; then its width is the substitute's.
    font: Option<FontId>,
    /// In parts of the font size.
    width: f32,
}

impl Fonts {
    pub(super) fn new() -> Self {
        let face = |id: FontId| Face::parse(id.data(), 0).expect("the fonts of the program are whole");
        Self {
            faces: FontId::ALL.map(face),
            known: RefCell::default(),
        }
    }

    fn face(&self, id: FontId) -> &Face<'static> {
        &self.faces[id as usize]
    }

    fn letter(&self, letter: char, weight: Weight) -> Letter {
        let mut known = self.known.borrow_mut();
        *known
            .entry((letter, weight))
            .or_insert_with(|| self.look_up(letter, weight))
    }

    fn look_up(&self, letter: char, weight: Weight) -> Letter {
        let latin = match weight {
            Weight::Regular => FontId::Latin,
            Weight::Bold => FontId::LatinBold,
        };
        let font = [latin, FontId::Chinese]
            .into_iter()
            .find(|id| self.face(*id).glyph_index(letter).is_some());
        let (drawn_by, drawn) = font.map_or((FontId::Chinese, SUBSTITUTE), |id| (id, letter));
        let face = self.face(drawn_by);
        let advance = face.glyph_index(drawn).and_then(|glyph| face.glyph_hor_advance(glyph));
        Letter {
            font,
            width: f32::from(advance.unwrap_or_default()) / f32::from(face.units_per_em()),
        }
    }

    /// `None` when no font has it.
    fn font_of(&self, letter: char, weight: Weight) -> Option<FontId> {
        self.letter(letter, weight).font
    }

    /// The text in pieces of one font each; a letter that no font has becomes [`SUBSTITUTE`].
    pub(super) fn runs(&self, text: &str, weight: Weight) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for letter in text.chars() {
            let (font, letter) = match self.font_of(letter, weight) {
                Some(font) => (font, letter),
                None => (FontId::Chinese, SUBSTITUTE),
            };
            match runs.last_mut() {
                Some(run) if run.font == font => run.text.push(letter),
                _ => runs.push(Run {
                    font,
                    text: letter.to_string(),
                }),
            }
        }
        runs
    }

    /// The letters of `text` that no font has.
    pub(super) fn missing(&self, text: &str) -> BTreeSet<char> {
        text.chars()
            .filter(|letter| self.font_of(*letter, Weight::Regular).is_none())
            .collect()
    }

    /// In points at `size`, without kerning.
    pub(super) fn width(&self, text: &str, weight: Weight, size: f32) -> f32 {
        text.chars()
            .map(|letter| self.letter(letter, weight).width)
            .sum::<f32>()
            * size
    }

    /// Lines of at most `width_max` points: broken at line ends, at spaces, between Chinese characters, and inside a word
    /// only where it is wider than a line.
    pub(super) fn wrap(&self, text: &str, weight: Weight, size: f32, width_max: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = Line::default();
            for piece in self.pieces(paragraph, weight) {
                let width = self.width(&piece, weight, size);
                if line.width + self.width(piece.trim_end(), weight, size) > width_max {
                    line.finish(&mut lines);
                }
                if width <= width_max {
                    line.push(&piece, width);
                } else {
                    self.break_word(&piece, (weight, size, width_max), &mut line, &mut lines);
                }
            }
            line.finish(&mut lines);
        }
        lines
    }

    fn break_word(
        &self,
        word: &str,
        (weight, size, width_max): (Weight, f32, f32),
        line: &mut Line,
        lines: &mut Vec<String>,
    ) {
        for letter in word.chars() {
            let width = self.letter(letter, weight).width * size;
            if line.width + width > width_max {
                line.finish(lines);
            }
            line.push(letter.encode_utf8(&mut [0; 4]), width);
        }
    }

    /// What may not be broken: words with the spaces behind them, single Chinese characters with closing signs.
    fn pieces(&self, paragraph: &str, weight: Weight) -> Vec<String> {
        let mut pieces: Vec<String> = Vec::new();
        let mut may_break = true;
        for letter in paragraph.chars() {
            let letter = if letter.is_control() { ' ' } else { letter };
            let is_wide = self.font_of(letter, weight) == Some(FontId::Chinese);
            let breaks_before = (may_break || is_wide) && letter != ' ' && !CLOSING.contains(letter);
            match pieces.last_mut() {
                Some(piece) if !breaks_before => piece.push(letter),
                _ => pieces.push(letter.to_string()),
            }
            may_break = letter == ' ' || is_wide;
        }
        pieces
    }
}

/// A line that grows.
#[derive(Default)]
struct Line {
    text: String,
    width: f32,
}

impl Line {
    fn push(&mut self, piece: &str, width: f32) {
        self.text.push_str(piece);
        self.width += width;
    }

    fn finish(&mut self, lines: &mut Vec<String>) {
        let text = std::mem::take(&mut self.text);
        self.width = 0.0;
        if !text.trim().is_empty() {
            lines.push(text.trim_end().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_finds_its_font() {
        let fonts = Fonts::new();
        let runs = |text: &str| -> Vec<(FontId, String)> {
            let runs = fonts.runs(text, Weight::Bold);
            runs.into_iter().map(|run| (run.font, run.text)).collect()
        };
        assert_eq!(
            runs("Łódź Αθήνα Кофе €"),
            [(FontId::LatinBold, "Łódź Αθήνα Кофе €".to_owned())]
        );
        assert_eq!(
            runs("上海 88 号"),
            [
                (FontId::Chinese, "上海".to_owned()),
                (FontId::LatinBold, " 88 ".to_owned()),
                (FontId::Chinese, "号".to_owned())
            ]
        );
        assert_eq!(runs("🚕"), [(FontId::Chinese, "〓".to_owned())]);
        assert_eq!(fonts.missing("赵堃 🚕 ا"), BTreeSet::from(['ا', '🚕']));
    }

    /// Lines joined with `|`.
    fn check(text: &str, width_max: f32, expected: &str) {
        let lines = Fonts::new().wrap(text, Weight::Regular, 10.0, width_max);
        assert_eq!(lines.join("|"), expected);
        let fonts = Fonts::new();
        assert!(
            lines
                .iter()
                .all(|line| fonts.width(line, Weight::Regular, 10.0) <= width_max + 0.01)
        );
    }

    #[test]
    fn lines_break_where_they_may() {
        check("one two three", 45.0, "one two|three");
        check("one\ntwo\n\nthree", 200.0, "one|two|three");
        check("上海市示例路", 35.0, "上海市|示例路");
        check("abcdefghijklmnop", 30.0, "abcde|fghijkl|mnop");
        check("", 30.0, "");
        check("   ", 30.0, "");
    }

    #[test]
    fn closing_signs_stay_with_their_word() {
        let lines = Fonts::new().wrap("谢谢，谢谢。", Weight::Regular, 10.0, 25.0);
        assert_eq!(lines.join("|"), "谢|谢，|谢|谢。");
    }
}
