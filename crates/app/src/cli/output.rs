//! What commands print: records, as aligned text for people or as JSON for programs.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// For whom a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// One thing with named fields, in the order in which they are shown.
#[derive(Debug, Clone, Default)]
pub struct Record(Vec<(&'static str, Value)>);

impl Record {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field. What may be absent is `Option`; it is null in JSON and a hyphen in text.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn json(self) -> Value {
        let fields = self.0.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    fn texts(&self) -> Vec<String> {
        self.0.iter().map(|(_, value)| text(value)).collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
}

impl Output {
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    pub fn format(self) -> Format {
        self.format
    }

    /// One record: a field a line.
    pub fn record(self, record: Record) -> Result<()> {
        match self.format {
            Format::Json => print_json(&record.json()),
            Format::Text => {
                let names: Vec<&str> = record.0.iter().map(|(name, _)| *name).collect();
                let wide = names.iter().map(|name| width(name)).max().unwrap_or(0);
                let lines = names.iter().zip(record.texts());
                let lines: String = lines
                    .map(|(name, text)| format!("{}  {text}\n", pad(name, wide)))
                    .collect();
                print(&lines)
            }
        }
    }

    /// Records of one kind: a table, or `empty` when there are none.
    pub fn list(self, records: Vec<Record>, empty: &str) -> Result<()> {
        match self.format {
            Format::Json => print_json(&Value::Array(records.into_iter().map(Record::json).collect())),
            Format::Text if records.is_empty() => print(&format!("{empty}\n")),
            Format::Text => print(&table(&records)),
        }
    }

    /// A sentence for people; programs do without.
    pub fn say(self, sentence: &str) -> Result<()> {
        match self.format {
            Format::Json => Ok(()),
            Format::Text => print(&format!("{sentence}\n")),
        }
    }
}

fn table(records: &[Record]) -> String {
    let head: Vec<String> = records[0]
        .0
        .iter()
        .map(|(name, _)| name.replace('_', " ").to_uppercase())
        .collect();
    let mut rows = vec![head];
    rows.extend(records.iter().map(Record::texts));
    let columns = rows[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, wide)| pad(cell, *wide));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Columns of a terminal: Chinese, Japanese and Korean letters and full-width signs take two.
pub fn width(text: &str) -> usize {
    let wide = |letter: char| {
        matches!(letter, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|letter| if wide(letter) { 2 } else { 1 }).sum()
}

/// `text` with spaces up to `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

pub fn print_json(value: &Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("the answer cannot be written as JSON")?;
    text.push('\n');
    print(&text)
}

pub fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// A reader that went away, as `head` does, is no failure.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the answer cannot be printed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_script() {
        let rows = [("李雷", 1), ("Ada", 22)];
        let records: Vec<Record> = rows
            .into_iter()
            .map(|(name, count)| {
                Record::new()
                    .with("full_name", name)
                    .with("count", count)
                    .with("note", Value::Null)
            })
            .collect();
        assert_eq!(
            table(&records),
            "FULL NAME  COUNT  NOTE\n李雷       1      -\nAda        22     -\n"
        );
    }
}
