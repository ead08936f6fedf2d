//! What is handed out as a file: issued documents, and lists for spreadsheets.

use std::ops::Range;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use onescan_domain::invoicing::Invoice;
use onescan_domain::money::Money;
use onescan_platforms::error::PlatformError;
use onescan_platforms::invoicing::{Format, name_of};
use onescan_platforms::processing::delivery::documents::file_name;
use rust_xlsxwriter::{Format as CellFormat, Workbook, XlsxError};

pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub const CSV: &str = "text/csv; charset=utf-8";

/// The most rows an export has.
pub const ROWS_MAX: usize = 10_000;

/// A list as a spreadsheet has it. What a spreadsheet would take for a formula is written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Of the sheet, and of the file without its ending.
    pub name: &'static str,
    pub columns: &'static [&'static str],
    /// Those of `columns` that are numbers.
    pub numbers: Range<usize>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    Csv,
    Excel,
}

/// To be kept under a name, not to be shown. `name`: without quotes and line ends.
pub fn attachment(media_type: &str, name: &str, bytes: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, bytes).into_response()
}

impl Table {
    pub fn of_invoices(invoices: &[Invoice]) -> Self {
        Self {
            name: "invoices",
            columns: &[
                "number",
                "kind",
                "state",
                "issued_on",
                "seller",
                "buyer",
                "order_number",
                "currency",
                "amount",
                "credited",
                "id",
            ],
            numbers: 8..10,
            rows: invoices.iter().map(invoice_row).collect(),
        }
    }

    pub fn answer(&self, form: TableForm) -> Result<Response, PlatformError> {
        let (media_type, ending, bytes) = match form {
            TableForm::Csv => (CSV, "csv", self.csv()),
            TableForm::Excel => (XLSX, "xlsx", self.xlsx().map_err(PlatformError::internal)?),
        };
        Ok(attachment(media_type, &format!("{}.{ending}", self.name), bytes))
    }

    /// RFC 4180 with a byte order mark.
    fn csv(&self) -> Vec<u8> {
        let mut text = String::from("\u{feff}");
        let mut write = |fields: Vec<String>| {
            text.push_str(&fields.join(","));
            text.push_str("\r\n");
        };
        write(self.columns.iter().map(|name| (*name).to_owned()).collect());
        for row in &self.rows {
            write(row.iter().map(|field| quoted(field)).collect());
        }
        text.into_bytes()
    }

    /// One sheet; everything but the numbers is text, so that nothing is a formula.
    fn xlsx(&self) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.set_name(self.name)?;
        sheet.set_freeze_panes(1, 0)?;
        let bold = CellFormat::new().set_bold();
        for (column, name) in (0_u16..).zip(self.columns) {
            sheet.write_string_with_format(0, column, *name, &bold)?;
        }
        for (line, row) in (1_u32..).zip(&self.rows) {
            for (index, text) in row.iter().enumerate() {
                let column = index as u16;
                match text.parse::<f64>() {
                    Ok(number) if self.numbers.contains(&index) => sheet.write_number(line, column, number)?,
                    _ => sheet.write_string(line, column, text)?,
                };
            }
        }
        sheet.autofit();
        workbook.save_to_buffer()
    }
}

fn invoice_row(invoice: &Invoice) -> Vec<String> {
    let credited = Money::new(invoice.credited_minor, invoice.amount.currency);
    let buyer = invoice.buyer.as_ref().map(|buyer| buyer.title.clone());
    vec![
        invoice.number.clone().unwrap_or_default(),
        invoice.kind.name().to_owned(),
        invoice.state.name().to_owned(),
        invoice.issued_on.clone().unwrap_or_default(),
        invoice.seller_name.clone(),
        buyer.unwrap_or_default(),
        invoice.order_number.clone(),
        invoice.amount.currency.code().to_owned(),
        invoice.amount.to_decimal(),
        credited.to_decimal(),
        invoice.id.to_string(),
    ]
}

/// An apostrophe in front of what begins like a formula; no column of ours is negative.
fn quoted(field: &str) -> String {
    let guarded = match field.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{field}"),
        _ => field.to_owned(),
    };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

/// A form of an issued document, shown in the browser under the invoice's number.
pub fn document(invoice: &Invoice, format: Format, bytes: Vec<u8>) -> Response {
    let number = invoice.number.clone().unwrap_or_else(|| invoice.id.to_string());
    let name = file_name(&number);
    let name = name.trim_end_matches("pdf");
    named(&format!("{name}{}", format.ending()), format.media_type(), bytes)
}

/// The page in fapiao form.
pub fn fapiao(invoice: &Invoice, bytes: Vec<u8>) -> Response {
    let number = invoice.number.clone().unwrap_or_else(|| invoice.id.to_string());
    let name = file_name(&format!("{number}-fapiao"));
    named(&name, Format::Pdf.media_type(), bytes)
}

fn named(name: &str, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A browser shows a PDF by a plugin of its own, which the policy of pages forbids.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    );
    // A number holds letters, digits, - and / only; another issuer's may hold more.
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", name_of(&bytes))) {
        headers.insert(ETAG, value);
    }
    (headers, bytes).into_response()
}
