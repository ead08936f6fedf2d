//! The text of a policy.
//!
//! One condition a line: `amount <= 5000`, `weekday in mon-fri`, `clock not in 22:00-06:00`. All must hold.
//! `all of`, `any of` and `not` open a block; the lines that are indented further than it belong to it:
//!
//! ```text
//! amount <= 5000
//! any of
//!   city in Utsunomiya
//!   all of
//!     line in M1
//!     clock in 06:00-22:00
//! not
//!   day_kind in holiday
//! ```
//!
//! `not` means: not all of its lines hold. Indentation where no block was opened means nothing. Empty lines are skipped.

use std::fmt;
use std::sync::Arc;

use super::Rule;
use super::condition::{Condition, Operator};
use super::dimension::{DIMENSIONS, Dimension};
use super::input::Expressions;
use super::value::Allowed;

/// Most conditions of one policy.
pub const CONDITIONS_MAX: usize = 200;
/// Most blocks inside each other.
pub const DEPTH_MAX: usize = 8;

/// Why a line is not a rule. `line` and `column` start at 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("line {line}, column {column}: expected `dimension operator value`, such as `amount <= 5000`")]
    Shape { line: usize, column: usize },
    #[error(
        "line {line}, column {column}: {name:?} is not a dimension{meant}; known are {known}, and all of, any of, not",
        meant = meant(.name),
        known = known_names()
    )]
    UnknownDimension { line: usize, column: usize, name: String },
    #[error(
        "line {line}, column {column}: `{sign}` does not go with {dimension}, which takes {known}",
        dimension = .dimension.name(),
        known = signs(*.dimension)
    )]
    OperatorMismatch {
        line: usize,
        column: usize,
        sign: &'static str,
        dimension: Dimension,
    },
    #[error(
        "line {line}, column {column}: {part:?} is not a value of {dimension} ({help}): use {form}",
        dimension = .dimension.name(),
        help = .dimension.row().help,
        form = .dimension.row().kind.form()
    )]
    Value {
        line: usize,
        column: usize,
        dimension: Dimension,
        part: String,
    },
    #[error("line {line}, column {column}: the expression cannot be used: {why}")]
    Expression { line: usize, column: usize, why: String },
    #[error("line {line}, column {column}: nothing is indented under `{block}`")]
    EmptyBlock {
        line: usize,
        column: usize,
        block: &'static str,
    },
    #[error("line {line}, column {column}: at most {DEPTH_MAX} blocks stand inside each other")]
    TooDeep { line: usize, column: usize },
    #[error("line {line}, column {column}: a policy has at most {CONDITIONS_MAX} conditions")]
    TooLong { line: usize, column: usize },
}

impl PolicyError {
    /// The line it is about, from 1.
    pub fn line(&self) -> usize {
        let (Self::Shape { line, .. }
        | Self::UnknownDimension { line, .. }
        | Self::OperatorMismatch { line, .. }
        | Self::Value { line, .. }
        | Self::Expression { line, .. }
        | Self::EmptyBlock { line, .. }
        | Self::TooDeep { line, .. }
        | Self::TooLong { line, .. }) = self;
        *line
    }
}

fn known_names() -> String {
    DIMENSIONS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

fn signs(dimension: Dimension) -> String {
    let operators = dimension.row().kind.operators();
    let signs: Vec<&str> = operators.iter().map(|operator| operator.sign()).collect();
    signs.join(" and ")
}

/// ` (did you mean "amount"?)` where one name is close.
fn meant(name: &str) -> String {
    let near = DIMENSIONS.iter().map(|row| (edits(name, row.name), row.name)).min();
    match near {
        Some((edits, near)) if edits <= 2 => format!(" (did you mean {near:?}?)"),
        _ => String::new(),
    }
}

/// How many letters have to be put in, taken out or changed.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (place, letter) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = place + 1;
        for (column, other) in b.bytes().enumerate() {
            let changed = corner + usize::from(letter != other);
            corner = row[column + 1];
            row[column + 1] = changed.min(corner + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    All,
    Any,
    Not,
}

impl Block {
    const ALL: [(Self, &'static str); 3] = [(Self::All, "all of"), (Self::Any, "any of"), (Self::Not, "not")];

    fn name(self) -> &'static str {
        match self {
            Self::All => "all of",
            Self::Any => "any of",
            Self::Not => "not",
        }
    }

    /// Reads a line that is nothing but the opening of a block.
    fn parse(text: &str) -> Option<Self> {
        let same = |name: &str| text.split_whitespace().eq(name.split_whitespace());
        Self::ALL
            .into_iter()
            .find(|(_, name)| same(name))
            .map(|(block, _)| block)
    }

    fn rule(self, rules: Vec<Rule>) -> Rule {
        match self {
            Self::All => Rule::All(rules),
            Self::Any => Rule::Any(rules),
            Self::Not => Rule::Not(rules),
        }
    }
}

/// A block whose end has not been seen.
struct Open {
    block: Block,
    line: usize,
    column: usize,
    indent: usize,
    rules: Vec<Rule>,
}

/// What reads expressions; `None`: they are taken as they are.
type Reader<'e> = Option<&'e dyn Expressions>;

pub(super) fn rules(text: &str, reader: Reader<'_>) -> Result<Vec<Rule>, PolicyError> {
    rules_of_lines(
        text.lines().enumerate().map(|(number, line)| (number + 1, line)),
        reader,
    )
}

pub(super) fn rules_of_lines<'t>(
    lines: impl IntoIterator<Item = (usize, &'t str)>,
    reader: Reader<'_>,
) -> Result<Vec<Rule>, PolicyError> {
    let mut top = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut conditions = 0;
    for (number, whole) in lines {
        let text = whole.trim();
        if text.is_empty() {
            continue;
        }
        let (indent, column) = (indent(whole), column_of(whole, text));
        while open.last().is_some_and(|block| indent <= block.indent) {
            close(&mut open, &mut top)?;
        }
        if let Some(block) = Block::parse(text) {
            if open.len() == DEPTH_MAX {
                return Err(PolicyError::TooDeep { line: number, column });
            }
            open.push(Open {
                block,
                line: number,
                column,
                indent,
                rules: Vec::new(),
            });
            continue;
        }
        conditions += 1;
        if conditions > CONDITIONS_MAX {
            return Err(PolicyError::TooLong { line: number, column });
        }
        let rule = Rule::Condition(Arc::new(condition(whole, text, number, reader)?));
        open.last_mut().map_or(&mut top, |block| &mut block.rules).push(rule);
    }
    while !open.is_empty() {
        close(&mut open, &mut top)?;
    }
    Ok(top)
}

fn close(open: &mut Vec<Open>, top: &mut Vec<Rule>) -> Result<(), PolicyError> {
    let Some(done) = open.pop() else {
        return Ok(());
    };
    if done.rules.is_empty() {
        return Err(PolicyError::EmptyBlock {
            line: done.line,
            column: done.column,
            block: done.block.name(),
        });
    }
    let parent = open.last_mut().map_or(top, |block| &mut block.rules);
    parent.push(done.block.rule(done.rules));
    Ok(())
}

/// Width of the space before the first letter; a tab is as wide as four spaces.
fn indent(line: &str) -> usize {
    let space = line.chars().take_while(|letter| letter.is_whitespace());
    space.map(|letter| if letter == '\t' { 4 } else { 1 }).sum()
}

/// Column of `part`, which is a piece of `whole`.
fn column_of(whole: &str, part: &str) -> usize {
    let before = part.as_ptr() as usize - whole.as_ptr() as usize;
    whole[..before].chars().count() + 1
}

fn condition(whole: &str, text: &str, line: usize, reader: Reader<'_>) -> Result<Condition, PolicyError> {
    let shape = |part: &str| PolicyError::Shape {
        line,
        column: column_of(whole, part),
    };
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let dimension = Dimension::parse(name).ok_or_else(|| PolicyError::UnknownDimension {
        line,
        column: column_of(whole, name),
        name: name.to_owned(),
    })?;
    if rest.is_empty() {
        return Err(shape(text));
    }
    let rest = rest.trim_start();
    let split = Operator::ALL
        .into_iter()
        .find_map(|operator| Some((operator, rest.strip_prefix(operator.sign())?)));
    let (operator, value) = split.ok_or_else(|| shape(rest))?;
    if !dimension.row().kind.operators().contains(&operator) {
        return Err(PolicyError::OperatorMismatch {
            line,
            column: column_of(whole, rest),
            sign: operator.sign(),
            dimension,
        });
    }
    let written = value.trim();
    let value = Allowed::parse(dimension.row().kind, written).map_err(|part| PolicyError::Value {
        line,
        column: column_of(whole, part),
        dimension,
        part: part.to_owned(),
    })?;
    if let (Allowed::Expression(source), Some(reader)) = (&value, reader) {
        reader.check(source).map_err(|error| PolicyError::Expression {
            line,
            column: column_of(whole, written) + error.column.saturating_sub(1),
            why: error.why,
        })?;
    }
    Condition::new(dimension, operator, value).ok_or_else(|| shape(text))
}

/// Two spaces a level.
pub(super) fn write(f: &mut fmt::Formatter<'_>, rules: &[Rule], depth: usize) -> fmt::Result {
    let space = depth * 2;
    for rule in rules {
        let (block, inner) = match rule {
            Rule::Condition(condition) => {
                writeln!(f, "{:space$}{condition}", "")?;
                continue;
            }
            Rule::All(inner) => (Block::All, inner),
            Rule::Any(inner) => (Block::Any, inner),
            Rule::Not(inner) => (Block::Not, inner),
        };
        writeln!(f, "{:space$}{}", "", block.name())?;
        write(f, inner, depth + 1)?;
    }
    Ok(())
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimension = self.dimension();
        let value = self.allowed().text(dimension);
        write!(f, "{} {} {value}", dimension.name(), self.operator().sign())
    }
}
