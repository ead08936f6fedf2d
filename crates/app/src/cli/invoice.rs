//! `onescan invoice`: looking at invoices of anybody.
//!
//! Row S20.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use onescan_domain::money::Money;
use onescan_einvoice::invoice::{Kind, Line, Party};
use onescan_einvoice::xml::{self, Limits, ReadError, ReadInvoice, Syntax};
use onescan_einvoice::{Invoice, Totals};
use serde_json::{Value, json};

use super::Finding;
use super::output::{Format, Output, pad, print, print_json, width};

/// Look at invoices, whoever wrote them.
#[derive(Debug, Subcommand)]
pub enum InvoiceCommand {
    /// Read an invoice, print it, and say what is wrong with it
    ///
    /// Reads UBL 2.1 (invoice and credit note), UN/CEFACT CII, and the XML inside a Factur-X or ZUGFeRD PDF.
    /// Exit status 1: it cannot be read, or something is wrong with it.
    ///
    /// Example: onescan invoice show factur-x.pdf
    Show(Show),
}

#[derive(Debug, Args)]
pub struct Show {
    /// The file; a hyphen reads from standard input
    file: PathBuf,
}

impl InvoiceCommand {
    pub(super) fn run(self, output: Output) -> Result<Finding> {
        let Self::Show(show) = self;
        let limits = Limits::default();
        let bytes = bytes_of(&show.file, limits.input_bytes_max)?;
        match xml::judge(&bytes, &limits) {
            Ok((read, breaches)) => {
                let mut wrong = read.differences();
                wrong.extend(breaches.iter().map(ToString::to_string));
                shown(&read, &wrong, output)
            }
            Err(error) => unreadable(&error, output),
        }
    }
}

/// No more than is looked at, and one byte by which it shows that there is more.
fn bytes_of(file: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    let limit = bytes_max as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        let named = || format!("{} cannot be read", file.display());
        File::open(file)
            .with_context(named)?
            .take(limit)
            .read_to_end(&mut bytes)
    };
    read.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(bytes)
}

fn unreadable(error: &ReadError, output: Output) -> Result<Finding> {
    match output.format() {
        Format::Json => print_json(&json!({"readable": false, "wrong": [error.to_string()]}))?,
        Format::Text => eprintln!("error: {}", plain(&error.to_string())),
    }
    Ok(Finding::Wrong)
}

fn shown(read: &ReadInvoice, wrong: &[String], output: Output) -> Result<Finding> {
    match output.format() {
        Format::Json => print_json(&as_json(read, wrong))?,
        Format::Text => print(&as_text(read, wrong))?,
    }
    Ok(if wrong.is_empty() {
        Finding::Well
    } else {
        Finding::Wrong
    })
}

fn syntax(read: &ReadInvoice) -> &'static str {
    match read.syntax {
        Syntax::Ubl => "ubl",
        Syntax::Cii => "cii",
    }
}

fn kind(invoice: &Invoice) -> &'static str {
    match invoice.kind {
        Kind::Invoice => "invoice",
        Kind::CreditNote { .. } => "credit_note",
    }
}

/// Tax groups as reckoned from the lines; none where the sums cannot be kept.
fn rates(invoice: &Invoice) -> Vec<(String, i64, i64)> {
    let groups = Totals::of(invoice).map_or_else(|_| Vec::new(), |totals| totals.groups);
    let named = groups.into_iter().map(|group| {
        let name = format!("{} {} %", group.vat.category.code(), group.vat.percent);
        (name, group.net, group.tax)
    });
    named.collect()
}

fn as_json(read: &ReadInvoice, wrong: &[String]) -> Value {
    let invoice = &read.invoice;
    let stated = &read.stated;
    let original = match &invoice.kind {
        Kind::Invoice => None,
        Kind::CreditNote { original } => Some(&original.number),
    };
    let lines = invoice
        .lines
        .iter()
        .zip(&stated.lines)
        .map(|(line, net)| line_json(line, *net));
    let rates = rates(invoice)
        .into_iter()
        .map(|(rate, net, tax)| json!({"rate": rate, "net_minor": net, "tax_minor": tax}));
    json!({
        "readable": true,
        "syntax": syntax(read),
        "specification": read.specification_id,
        "kind": kind(invoice),
        "number": invoice.number,
        "original": original,
        "issued_on": invoice.issued_on.to_string(),
        "delivered_on": invoice.delivered_on.map(|date| date.to_string()),
        "due_on": invoice.due_on.map(|date| date.to_string()),
        "currency": invoice.currency.code(),
        "buyer_reference": invoice.buyer_reference,
        "order_reference": invoice.order_reference,
        "seller": party_json(&invoice.seller),
        "buyer": party_json(&invoice.buyer),
        "lines": lines.collect::<Vec<_>>(),
        "rates": rates.collect::<Vec<_>>(),
        "totals": {
            "net_minor": stated.net, "tax_minor": stated.vat, "gross_minor": stated.gross,
            "prepaid_minor": invoice.prepaid_minor, "due_minor": stated.due,
        },
        "notes": invoice.notes,
        "attachments": invoice.attachments.iter().map(|file| file.file_name.as_str()).collect::<Vec<_>>(),
        "left_out": read.left_out,
        "wrong": wrong,
    })
}

fn line_json(line: &Line, net: i64) -> Value {
    let attributes = line
        .attributes
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}));
    json!({
        "id": line.id,
        "name": line.name,
        "description": line.description,
        "quantity": line.quantity.to_string(),
        "unit": line.unit,
        "price": line.price.to_string(),
        "price_base": line.price_base.to_string(),
        "category": line.vat.category.code(),
        "percent": line.vat.percent.to_string(),
        "net_minor": net,
        "attributes": attributes.collect::<Vec<_>>(),
    })
}

fn party_json(party: &Party) -> Value {
    let address = &party.address;
    json!({
        "name": party.name,
        "vat_id": party.vat_id,
        "tax_number": party.tax_number,
        "legal_id": party.legal_id.as_ref().map(|id| id.value.as_str()),
        "electronic_address": party.electronic_address.as_ref().map(|id| {
            format!("{}:{}", id.scheme.as_deref().unwrap_or_default(), id.value)
        }),
        "street": address.street,
        "postcode": address.postcode,
        "city": address.city,
        "country": address.country,
        "email": party.contact.email,
    })
}

fn as_text(read: &ReadInvoice, wrong: &[String]) -> String {
    let invoice = &read.invoice;
    let mut text = String::new();
    let mut fact = |name: &str, value: &str| text.push_str(&format!("{}  {}\n", pad(name, 14), plain(value)));
    let title = match &invoice.kind {
        Kind::Invoice => format!("invoice {}", invoice.number),
        Kind::CreditNote { original } => format!("credit note {} for {}", invoice.number, original.number),
    };
    fact("document", &format!("{title} of {}", invoice.issued_on));
    let declared = read.specification_id.as_deref().unwrap_or("nothing declared");
    fact("written as", &format!("{} ({declared})", syntax(read).to_uppercase()));
    fact("seller", &party_text(&invoice.seller));
    fact("buyer", &party_text(&invoice.buyer));
    let optional = [
        ("delivered on", invoice.delivered_on.map(|date| date.to_string())),
        ("due on", invoice.due_on.map(|date| date.to_string())),
        ("reference", invoice.buyer_reference.clone()),
        ("order", invoice.order_reference.clone()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            fact(name, &value);
        }
    }
    text.push('\n');
    text.push_str(&lines_text(read));
    text.push('\n');
    text.push_str(&sums_text(read));
    for (head, entries) in [("Not shown here:", read.left_out.as_slice()), ("What is wrong:", wrong)] {
        if !entries.is_empty() {
            text.push_str(&format!("\n{head}\n"));
            entries
                .iter()
                .for_each(|entry| text.push_str(&format!("- {}\n", plain(entry))));
        }
    }
    if wrong.is_empty() {
        text.push_str("\nNothing is wrong with it.\n");
    }
    text
}

fn party_text(party: &Party) -> String {
    let address = &party.address;
    let legal_id = party.legal_id.as_ref().map(|id| &id.value);
    let parts = [
        Some(&party.name),
        address.street.as_ref(),
        address.postcode.as_ref(),
        address.city.as_ref(),
        Some(&address.country),
        party.vat_id.as_ref(),
        party.tax_number.as_ref(),
        legal_id,
    ];
    let given: Vec<&str> = parts
        .into_iter()
        .flatten()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    given.join(", ")
}

fn lines_text(read: &ReadInvoice) -> String {
    let invoice = &read.invoice;
    let head = ["#", "name", "quantity", "price", "tax", "net"].map(str::to_owned);
    let rows = invoice.lines.iter().zip(&read.stated.lines).map(|(line, net)| {
        [
            plain(&line.id),
            plain(&line.name),
            format!("{} {}", line.quantity, plain(&line.unit)),
            line.price.to_string(),
            format!("{} {} %", line.vat.category.code(), line.vat.percent),
            Money::new(*net, invoice.currency).to_decimal(),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(widest).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, wide)| pad(cell, *wide));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn sums_text(read: &ReadInvoice) -> String {
    let (invoice, stated) = (&read.invoice, &read.stated);
    let money = |minor| Money::new(minor, invoice.currency).to_string();
    let mut sums = vec![("without tax".to_owned(), money(stated.net))];
    for (rate, net, tax) in rates(invoice) {
        sums.push((format!("tax {rate}"), format!("{} on {}", money(tax), money(net))));
    }
    sums.push(("tax".to_owned(), money(stated.vat)));
    sums.push(("total".to_owned(), money(stated.gross)));
    if invoice.prepaid_minor != 0 {
        sums.push(("paid".to_owned(), money(invoice.prepaid_minor)));
    }
    sums.push(("to pay".to_owned(), money(stated.due)));
    sums.iter()
        .map(|(name, sum)| format!("{}  {sum}\n", pad(name, 14)))
        .collect()
}

/// On one line, and without signs that a terminal would obey.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
