//! Tables of comma-separated values with a heading, as GTFS defines them: quotes, doubled quotes, line breaks within quotes.

use crate::geo::GeoPoint;
use crate::money::MoneyError;

/// What is wrong with a feed: the file, the line, counted from 1, and the column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    #[error("{file} is missing; a feed needs agency, stops, routes, trips and stop_times")]
    MissingFile { file: &'static str },
    #[error("{file} has no column {column}")]
    MissingColumn { file: &'static str, column: &'static str },
    #[error("{file} line {line}: a quote is not closed")]
    OpenQuote { file: &'static str, line: usize },
    #[error("{file} line {line}, {column}: {value:?} is not {wanted}")]
    Value {
        file: &'static str,
        line: usize,
        column: &'static str,
        value: String,
        wanted: &'static str,
    },
    #[error("{file} line {line}, {column}: {value:?} is not in {other}")]
    Unknown {
        file: &'static str,
        line: usize,
        column: &'static str,
        value: String,
        other: &'static str,
    },
    #[error("{file} line {line}: {value:?} is listed twice")]
    Twice {
        file: &'static str,
        line: usize,
        value: String,
    },
    #[error("{file} line {line}, price: {error}")]
    Price {
        file: &'static str,
        line: usize,
        error: MoneyError,
    },
}

impl FeedError {
    /// File, line and column, as far as it has them.
    pub fn place(&self) -> (&'static str, Option<usize>, Option<&'static str>) {
        match self {
            Self::MissingFile { file } => (file, None, None),
            Self::MissingColumn { file, column } => (file, None, Some(column)),
            Self::OpenQuote { file, line } | Self::Twice { file, line, .. } => (file, Some(*line), None),
            Self::Value { file, line, column, .. } | Self::Unknown { file, line, column, .. } => {
                (file, Some(*line), Some(column))
            }
            Self::Price { file, line, .. } => (file, Some(*line), Some("price")),
        }
    }
}

/// Everything that is wrong with a feed, in the order of its files and lines; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.all, *.more))]
pub struct FeedFaults {
    pub all: Vec<FeedError>,
    /// How many more there are than are told.
    pub more: usize,
}

fn lines(all: &[FeedError], more: usize) -> String {
    let mut lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// A table read whole.
#[derive(Debug)]
pub struct Table {
    file: &'static str,
    columns: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
}

/// A row with the names of its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'t> {
    table: &'t Table,
    pub line: usize,
    cells: &'t [String],
}

impl Table {
    /// Spaces around values are cut off, as some feeds pad them. Empty lines are skipped.
    pub fn parse(file: &'static str, text: &str) -> Result<Self, FeedError> {
        let mut rows = records(file, text.trim_start_matches('\u{feff}'))?.into_iter();
        let columns = rows.next().map(|(_, cells)| cells).unwrap_or_default();
        Ok(Self {
            file,
            columns,
            rows: rows.collect(),
        })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, cells)| Row {
            table: self,
            line: *line,
            cells,
        })
    }

    /// Refuses a table without one of `columns`.
    pub(super) fn needs(self, columns: &[&'static str]) -> Result<Self, FeedError> {
        let lacks = |column: &&&'static str| !self.columns.iter().any(|known| known == **column);
        match columns.iter().find(lacks) {
            Some(column) => Err(FeedError::MissingColumn {
                file: self.file,
                column,
            }),
            None => Ok(self),
        }
    }
}

fn records(file: &'static str, text: &str) -> Result<Vec<(usize, Vec<String>)>, FeedError> {
    let mut records = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut first_line, mut quoted) = (1, 1, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\n' {
            line += 1;
        }
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => quoted = true,
            ',' if !quoted => cells.push(trimmed(&mut cell)),
            '\n' if !quoted => {
                cells.push(trimmed(&mut cell));
                keep(&mut records, first_line, &mut cells);
                first_line = line;
            }
            letter => cell.push(letter),
        }
    }
    if quoted {
        return Err(FeedError::OpenQuote { file, line: first_line });
    }
    cells.push(trimmed(&mut cell));
    keep(&mut records, first_line, &mut cells);
    Ok(records)
}

fn trimmed(cell: &mut String) -> String {
    std::mem::take(cell).trim().to_owned()
}

fn keep(records: &mut Vec<(usize, Vec<String>)>, line: usize, cells: &mut Vec<String>) {
    let cells = std::mem::take(cells);
    if cells.iter().any(|cell| !cell.is_empty()) {
        records.push((line, cells));
    }
}

impl<'t> Row<'t> {
    /// Empty where the column or the value is missing.
    pub fn text(self, column: &str) -> &'t str {
        let place = self.table.columns.iter().position(|known| known == column);
        place.and_then(|place| self.cells.get(place)).map_or("", String::as_str)
    }

    /// `None` where it is missing.
    pub fn option(self, column: &str) -> Option<&'t str> {
        Some(self.text(column)).filter(|text| !text.is_empty())
    }

    pub fn read<T>(
        self,
        column: &'static str,
        wanted: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, FeedError> {
        read(self.text(column)).ok_or_else(|| self.wrong(column, wanted))
    }

    /// Two columns of decimal degrees; `None` where both are missing.
    pub fn point(self) -> Result<Option<GeoPoint>, FeedError> {
        let (lat, lon) = (self.text("stop_lat"), self.text("stop_lon"));
        if lat.is_empty() && lon.is_empty() {
            return Ok(None);
        }
        let point = GeoPoint::parse(lat, lon);
        point
            .map(Some)
            .ok_or_else(|| self.wrong("stop_lat", "a place on earth in decimal degrees"))
    }

    pub fn wrong(self, column: &'static str, wanted: &'static str) -> FeedError {
        FeedError::Value {
            file: self.table.file,
            line: self.line,
            column,
            value: self.text(column).to_owned(),
            wanted,
        }
    }

    pub fn unknown(self, column: &'static str, other: &'static str) -> FeedError {
        FeedError::Unknown {
            file: self.table.file,
            line: self.line,
            column,
            value: self.text(column).to_owned(),
            other,
        }
    }

    pub fn twice(self, column: &str) -> FeedError {
        FeedError::Twice {
            file: self.table.file,
            line: self.line,
            value: self.text(column).to_owned(),
        }
    }

    pub fn file(self) -> &'static str {
        self.table.file
    }
}
