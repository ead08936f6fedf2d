//! What we write we read back, whole.

use onescan_einvoice::invoice::Prices;
use onescan_einvoice::pdf::{self, HybridProfile, Language, PageOptions};
use onescan_einvoice::xml::{self, Limits, Profile, Syntax};
use onescan_einvoice::{Invoice, Totals};

use crate::documents;

fn read(bytes: &[u8]) -> xml::ReadInvoice {
    xml::read(bytes, &Limits::default()).expect("what we wrote")
}

/// Sums survive always; the whole invoice where its prices are net, as every document's are.
fn check(name: &str, invoice: &Invoice, bytes: &[u8], syntax: Syntax) {
    let back = read(bytes);
    assert_eq!(back.differences(), [""; 0], "{name}");
    assert_eq!(back.syntax, syntax, "{name}");
    let expected_left_out: &[&str] = match name {
        "intra_community" => &["place of delivery (BG-15)"],
        _ => &[],
    };
    assert_eq!(back.left_out, expected_left_out, "{name}");
    let (ours, stated) = (Totals::of(invoice).expect("sums"), &back.stated);
    assert_eq!(
        (ours.net, ours.vat, ours.gross, ours.due),
        (stated.net, stated.vat, stated.gross, stated.due),
        "{name}"
    );
    assert_eq!(
        ours.lines.iter().map(|line| line.net).collect::<Vec<_>>(),
        stated.lines,
        "{name}"
    );
    let mut expected = invoice.clone();
    if invoice.prices == Prices::Gross {
        expected.prices = Prices::Net;
        expected.lines = back.invoice.lines.clone();
        expected.adjustments = back.invoice.adjustments.clone();
    }
    assert_eq!(back.invoice, expected, "{name}");
}

#[test]
fn s20_every_xml_is_read_back() {
    for (name, invoice) in documents::all() {
        for profile in [Profile::Core, Profile::XRechnung, Profile::Peppol] {
            for syntax in [Syntax::Ubl, Syntax::Cii] {
                let written = xml::write(&invoice, syntax, profile).expect("a good invoice");
                check(name, &invoice, written.as_bytes(), syntax);
            }
        }
    }
}

#[test]
fn s20_a_hybrid_is_read_back() {
    let options = PageOptions {
        language: Language::English,
        written_on: documents::date("2026-11-23"),
    };
    let invoice = documents::rich();
    let hybrid = pdf::hybrid(&invoice, HybridProfile::XRechnung, options).expect("a good invoice");
    check("rich", &invoice, &hybrid.pdf, Syntax::Cii);
    assert!(
        xml::read(
            &pdf::pages(&invoice, options).expect("a good invoice").pdf,
            &Limits::default()
        )
        .is_err()
    );
}

#[test]
fn r09_rides_are_read_back_with_their_list() {
    let invoice = documents::rides(3);
    let written = xml::ubl(&invoice, Profile::Core).expect("a good invoice");
    let back = read(written.as_bytes()).invoice;
    assert_eq!(back.period, invoice.period);
    assert_eq!(back.attachments, invoice.attachments);
    for (line, original) in back.lines.iter().zip(&invoice.lines) {
        assert_eq!((&line.object_id, &line.period), (&original.object_id, &original.period));
        assert_eq!(
            (&line.attributes, &line.description),
            (&original.attributes, &original.description)
        );
    }
}

#[test]
fn stated_sums_that_differ_are_named() {
    let written = xml::ubl(&documents::small_business(), Profile::Core).expect("a good invoice");
    let forged = written.replace(">25.00</cbc:PayableAmount>", ">52.00</cbc:PayableAmount>");
    assert_ne!(written, forged);
    assert_eq!(
        read(forged.as_bytes()).differences(),
        ["amount due (BT-115): 5200 stated, 2500 reckoned"]
    );
}
