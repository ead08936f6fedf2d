//! SQL written once, rendered for each engine.
//!
//! A mark `:name` stands for a bigint, `:name::text` and `:name::bytea` for the other kinds. Parameters
//! are given in the order in which the names first appear. A closing `{for update}` or
//! `{for update skip locked}` stays on PostgreSQL; SQLite has one writer and needs no row locks.
//! Sums are written `cast(sum(x) as bigint)`, because PostgreSQL would answer `numeric`.

use std::sync::OnceLock;

use crate::error::DbError;
use crate::render;
use crate::sql::Value;

pub use crate::render::{Forms, Kind, Mark, SetForm, SetRows};

/// One SQL text, made by `statements!`; its address is its identity in the caches.
#[derive(Debug)]
pub struct Statement {
    name: &'static str,
    sql: &'static str,
    forms: OnceLock<Forms>,
}

impl Statement {
    #[must_use]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            forms: OnceLock::new(),
        }
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text as written, marks included.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.sql
    }

    /// Every form, rendered at first use.
    ///
    /// Panics when the text is malformed: only a bug does that, and preparing all statements in a test
    /// finds it.
    #[must_use]
    pub fn forms(&self) -> &Forms {
        self.forms
            .get_or_init(|| render::render(self.sql).unwrap_or_else(|problem| panic!("{}: {problem}", self.name)))
    }

    /// Refuses a wrong number or kind of parameters, alike on both engines.
    pub(crate) fn check(&self, parameters: &[Value]) -> Result<(), DbError> {
        let marks = &self.forms().marks;
        if parameters.len() != marks.len() {
            let (given, needed) = (parameters.len(), marks.len());
            return Err(self.refuse(format!("{given} parameters given, {needed} needed")));
        }
        for (mark, value) in marks.iter().zip(parameters) {
            if !mark.kind.accepts(value) {
                return Err(self.refuse(format!("parameter {} has the wrong kind", mark.name)));
            }
        }
        Ok(())
    }

    /// As `check` for each set; refuses also two sets that would change the same row, because one set
    /// statement changes a row once while a loop changes it twice.
    pub(crate) fn check_each(&self, sets: &[Vec<Value>]) -> Result<(), DbError> {
        for set in sets {
            self.check(set)?;
        }
        let Some(key) = &self.forms().changed_row_key else {
            return Ok(());
        };
        if changes_a_row_twice(key, sets) {
            return Err(self.refuse("two parameter sets change the same row".to_owned()));
        }
        Ok(())
    }

    fn refuse(&self, problem: String) -> DbError {
        DbError::Parameters {
            statement: self.name,
            problem,
        }
    }
}

/// Compares a small mark of each key first: this runs for every batch, and its sets nearly always differ.
fn changes_a_row_twice(key: &[usize], sets: &[Vec<Value>]) -> bool {
    let mark_of = |set: &Vec<Value>| key.iter().fold(0, |mark, index| mix(mark, &set[*index]));
    let mut marks: Vec<u64> = sets.iter().map(mark_of).collect();
    marks.sort_unstable();
    if marks.windows(2).all(|pair| pair[0] != pair[1]) {
        return false;
    }
    let mut seen = std::collections::HashSet::with_capacity(sets.len());
    let key_of = |set: &'_ Vec<Value>| key.iter().map(|index| set[*index].clone()).collect::<Vec<_>>();
    !sets.iter().all(|set| seen.insert(key_of(set)))
}

fn mix(mark: u64, value: &Value) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |mark: u64, word: u64| (mark.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let bytes = match value {
        Value::Null => return word(mark, 1),
        Value::Int(value) => return word(mark, value.cast_unsigned()),
        Value::Text(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mark = words
        .iter()
        .fold(mark, |mark, bytes| word(mark, u64::from_le_bytes(*bytes)));
    rest.iter().fold(mark, |mark, byte| word(mark, u64::from(*byte)))
}

/// Declares statements and the module's list `ALL` of them.
#[macro_export]
macro_rules! statements {
    ($($(#[$meta:meta])* $visibility:vis $name:ident = $sql:expr;)*) => {
        $(
            $(#[$meta])*
            $visibility static $name: $crate::statement::Statement =
                $crate::statement::Statement::new(stringify!($name), $sql);
        )*
        /// Every statement of this module, for the test that prepares them on both engines.
        pub static ALL: &[&$crate::statement::Statement] = &[$(&$name),*];
    };
}
