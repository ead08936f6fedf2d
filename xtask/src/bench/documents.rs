//! Documents per second: an invoice of three lines and one of a thousand in each form, on one core, and how large the
//! files are. Issue 3.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use onescan_domain::money::Currency;
use onescan_einvoice::invoice::{Address, Contact, Identifier, Kind, Line, Party, Payment, Prices, Vat};
use onescan_einvoice::pdf::{self, HybridProfile, Language, PageOptions};
use onescan_einvoice::xml::{self, Profile, Syntax};
use onescan_einvoice::{Date, Decimal, Invoice};

use super::report::Sample;

pub const LINES: [usize; 2] = [3, 1_000];

/// What a document is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Ubl,
    Cii,
    XRechnung,
    Peppol,
    Hybrid,
}

impl Form {
    pub const ALL: [Self; 5] = [Self::Ubl, Self::Cii, Self::XRechnung, Self::Peppol, Self::Hybrid];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ubl => "UBL",
            Self::Cii => "CII",
            Self::XRechnung => "XRechnung",
            Self::Peppol => "Peppol",
            Self::Hybrid => "Factur-X PDF",
        })
    }
}

/// Writes the document again and again for `window`; the sample and the bytes of one file.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub fn measure(lines: usize, form: Form, window: Duration) -> Result<(Sample, usize)> {
    let invoice = invoice(lines).context("the invoice of the bench is wrong")?;
    let bytes = write(&invoice, form)?.len();
    let started = Instant::now();
    let mut each_ms = Vec::new();
    while started.elapsed() < window {
        let begun = Instant::now();
        black_box(write(black_box(&invoice), form)?);
        each_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let per_second = each_ms.len() as f64 / started.elapsed().as_secs_f64();
    each_ms.sort_by(f64::total_cmp);
    let part = |part: f64| each_ms[((each_ms.len() - 1) as f64 * part) as usize];
    let sample = Sample {
        per_second,
        p50_ms: part(0.5),
        p99_ms: part(0.99),
        load_us: 1_000_000.0 / per_second,
        ..Sample::default()
    };
    Ok((sample, bytes))
}

fn write(invoice: &Invoice, form: Form) -> Result<Vec<u8>> {
    let written = match form {
        Form::Ubl => xml::write(invoice, Syntax::Ubl, Profile::Core),
        Form::Cii => xml::write(invoice, Syntax::Cii, Profile::Core),
        Form::XRechnung => xml::write(invoice, Syntax::Ubl, Profile::XRechnung),
        Form::Peppol => xml::write(invoice, Syntax::Ubl, Profile::Peppol),
        Form::Hybrid => {
            let options = PageOptions {
                language: Language::German,
                written_on: invoice.issued_on,
            };
            let drawn = pdf::hybrid(invoice, HybridProfile::Core, options);
            return Ok(drawn.map_err(|error| anyhow!("{error}"))?.pdf);
        }
    };
    Ok(written.map_err(|error| anyhow!("{error}"))?.into_bytes())
}

/// As a till asks for it: prices with tax, two rates. `None`: a constant in here is wrong.
fn invoice(lines: usize) -> Option<Invoice> {
    let on = Date::new(2026, 11, 23)?;
    let rates = [Vat::standard(Decimal::whole(7)), Vat::standard(Decimal::whole(19))];
    let line = |number: usize| {
        let price = Decimal::new(199 + (number % 800) as i64, 2)?;
        let name = format!("Artikel {number}, Größe {}", number % 7);
        let quantity = Decimal::whole(1 + (number % 3) as i32);
        Some(Line::new(
            &number.to_string(),
            &name,
            quantity,
            price,
            rates[number % 2],
        ))
    };
    Some(Invoice {
        kind: Kind::Invoice,
        number: "RE-2026-000042".to_owned(),
        issued_on: on,
        delivered_on: Some(on),
        due_on: Some(on),
        period: None,
        currency: Currency::EUR,
        prices: Prices::Gross,
        seller: party("Nordlicht GmbH", "DE123456789"),
        buyer: party("Beispiel AG", "DE999999999"),
        buyer_reference: Some("04011000-12345-03".to_owned()),
        order_reference: None,
        lines: (1..=lines).map(line).collect::<Option<_>>()?,
        adjustments: Vec::new(),
        exemptions: Vec::new(),
        prepaid_minor: 0,
        payment: Some(Payment::Online {
            service: "Onescan".to_owned(),
        }),
        payment_terms: None,
        notes: Vec::new(),
        attachments: Vec::new(),
    })
}

fn party(name: &str, vat_id: &str) -> Party {
    let some = |text: &str| Some(text.to_owned());
    Party {
        name: name.to_owned(),
        address: Address {
            street: some("Marktplatz 1"),
            city: some("Köln"),
            postcode: some("50667"),
            country: "DE".to_owned(),
            ..Address::default()
        },
        vat_id: some(vat_id),
        electronic_address: Some(Identifier {
            scheme: some("9930"),
            value: vat_id.to_owned(),
        }),
        contact: Contact {
            name: some("Anna Müller"),
            phone: some("+49 221 123456"),
            email: some("anna@example.com"),
        },
        ..Party::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_small_document_is_written() {
        for form in Form::ALL {
            let (sample, bytes) = measure(LINES[0], form, Duration::from_millis(1)).unwrap();
            assert!(sample.per_second > 0.0 && bytes > 3_000, "{form}: {bytes} bytes");
        }
    }
}
