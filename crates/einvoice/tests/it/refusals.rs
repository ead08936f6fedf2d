//! Wrong invoices are refused with every fault at once, and hostile files end in an error, soon.

use std::fs;
use std::time::Duration;

use onescan_einvoice::invoice::{Kind, Original, Payment, Vat, VatCategory};
use onescan_einvoice::pdf::{self, HybridProfile, Language, PageOptions};
use onescan_einvoice::xml::{self, Limits, Profile, ReadError, WriteError};
use onescan_einvoice::{Decimal, Invoice, Period};

use crate::documents::{self, date};
use crate::tools;

/// One fault a line.
fn problems(invoice: &Invoice, profile: Profile) -> String {
    let problems = invoice.check(profile).into_iter().map(|problem| problem.to_string());
    problems.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_fault_is_named_at_once() {
    let mut invoice = documents::rich();
    invoice.number = " ".to_owned();
    invoice.seller.name.clear();
    invoice.seller.vat_id = Some("12".to_owned());
    invoice.buyer.address.country = "Deutschland".to_owned();
    invoice.buyer.electronic_address = None;
    invoice.lines[0].quantity = Decimal::ZERO;
    invoice.lines[1].price = Decimal::whole(-1);
    invoice.lines[2].id = "2".to_owned();
    invoice.lines[2].vat = Vat::standard(Decimal::ZERO);
    invoice.lines[3].name = "bell \u{7}".to_owned();
    invoice.exemptions.clear();
    invoice.adjustments[0].adjustment.reason.clear();
    invoice.period = Some(Period {
        first_on: date("2026-11-02"),
        last_on: date("2026-11-01"),
    });
    invoice.payment = Some(Payment::Card {
        last_digits: "4111111111111111".to_owned(),
        holder: None,
    });
    invoice.attachments[0].content.clear();
    invoice.prepaid_minor = -1;
    let expected = "\
number (BT-1) is missing
period (BG-14) ends before it starts
seller.name (BT-27) is missing
seller.vat_id (BT-31) is malformed
buyer.address.country (BT-55) is malformed
buyer.electronic_address (BT-49) is missing
lines[0].quantity (BT-129) is zero
lines[1].price (BT-146) is negative
lines[2].vat (BT-152) has a rate that its category does not allow
lines[2].id (BT-126) stands there twice
lines[3].name (BT-153) contains a control character
adjustments[0].reason (BT-92) is missing
exemptions.E (BT-120) is missing
payment.last_digits (BT-87) is malformed
attachments[0].content (BT-125) is missing
prepaid_minor (BT-113) is negative";
    assert_eq!(problems(&invoice, Profile::Peppol), expected);
    assert!(matches!(xml::ubl(&invoice, Profile::Peppol), Err(WriteError::Incomplete(found)) if found.len() == 16));
}

#[test]
fn profiles_ask_for_more_than_the_core() {
    let mut invoice = documents::small_business();
    invoice.buyer_reference = None;
    invoice.seller.contact.phone = None;
    invoice.seller.address.city = None;
    invoice.payment = None;
    assert_eq!(problems(&invoice, Profile::Core), "");
    assert_eq!(
        problems(&invoice, Profile::Peppol),
        "buyer_reference (BT-10) is missing"
    );
    let expected = "\
buyer_reference (BT-10) is missing
seller.address.city (BT-37) is missing
seller.contact.phone (BT-42) is missing
payment (BG-16) is missing";
    assert_eq!(problems(&invoice, Profile::XRechnung), expected);
}

#[test]
fn peppol_carries_to_no_mailbox() {
    let mut invoice = documents::till();
    let address = invoice.buyer.electronic_address.as_mut().expect("the buyer has one");
    address.scheme = Some("EM".to_owned());
    assert_eq!(problems(&invoice, Profile::XRechnung), "");
    assert_eq!(
        problems(&invoice, Profile::Peppol),
        "buyer.electronic_address.scheme (BT-49) is malformed"
    );
}

#[test]
fn categories_ask_for_their_parties() {
    let mut invoice = documents::intra_community();
    invoice.buyer.vat_id = None;
    invoice.delivered_on = None;
    let expected = "buyer.vat_id (BT-48) is missing\ndelivered_on (BT-72) is missing";
    assert_eq!(problems(&invoice, Profile::Core), expected);
    let mut mixed = documents::outside_scope();
    mixed.lines.push(documents::line(
        "2",
        "x",
        "1",
        "1",
        Vat::untaxed(VatCategory::ZeroRated),
    ));
    let expected =
        "lines (BT-151) has a category that may not stand beside the others\nseller.tax_number (BT-32) is missing";
    assert_eq!(problems(&mixed, Profile::Core), expected);
}

#[test]
fn a_credit_note_names_its_original_and_is_not_due() {
    let mut note = documents::rich();
    note.kind = Kind::CreditNote {
        original: Original {
            number: String::new(),
            issued_on: None,
        },
    };
    let expected = "kind.original.number (BT-25) is missing\ndue_on (BT-9) has no place on a credit note";
    assert_eq!(problems(&note, Profile::Core), expected);
}

#[test]
fn thousandths_have_no_place_in_xml() {
    let mut invoice = documents::dinar();
    invoice.lines[0].price = documents::decimal("1.251");
    assert!(problems(&invoice, Profile::Core).starts_with("lines[0] (BT-131) is finer than two decimals"));
}

#[test]
fn the_foreign_rules_see_a_broken_invoice() {
    let folder = tools::empty_folder("einvoice-broken");
    let written = xml::cii(&documents::rich(), Profile::XRechnung).expect("a good invoice");
    let file = folder.join("broken.xml");
    fs::write(&file, written.replace(">230.28<", ">230.27<")).expect("the folder can be written");
    let faults = tools::faults("validate.py", &[file]);
    assert!(faults.contains("BR-CO-15"), "{faults}");
}

#[test]
fn the_foreign_rules_see_a_broken_peppol_invoice() {
    let folder = tools::empty_folder("einvoice-broken-peppol");
    let written = xml::ubl(&documents::rich(), Profile::Peppol).expect("a good invoice");
    let reference = "<cbc:BuyerReference>04011000-12345-03</cbc:BuyerReference>";
    assert!(written.contains(reference), "{written}");
    let file = folder.join("broken.xml");
    fs::write(&file, written.replace(reference, "")).expect("the folder can be written");
    let faults = tools::faults("validate.py", &[file]);
    assert!(faults.contains("PEPPOL-EN16931-R003"), "{faults}");
}

/// How long this thread has had a processor: other programs on a busy machine do not count.
fn worked() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux keeps account of threads");
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first number is the time worked"))
}

/// Reading ends within a second of work, well or not; a build that is not optimised may take three.
fn read_soon(name: &str, bytes: &[u8]) -> Result<xml::ReadInvoice, ReadError> {
    let allowed = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });
    let start = worked();
    let result = xml::read(bytes, &Limits::default());
    let taken = worked() - start;
    assert!(taken <= allowed, "{name} took {taken:?}");
    result
}

#[test]
fn hostile_xml_ends_in_an_error() {
    let head = r#"<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">"#;
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"#;
    let outside = r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>"#;
    let cases = [
        ("nothing", String::new()),
        ("no invoice", "<html/>".to_owned()),
        ("another vocabulary", "<Invoice/>".to_owned()),
        ("an empty invoice", format!("{head}</Invoice>")),
        ("not closed", format!("{head}<a><b>")),
        ("entities", format!("{bomb}{head}&b;</Invoice>")),
        ("an outside entity", format!("{outside}{head}&a;</Invoice>")),
        (
            "depth",
            format!("{head}{}{}</Invoice>", "<a>".repeat(300_000), "</a>".repeat(300_000)),
        ),
        ("repetition", format!("{head}{}</Invoice>", "<a/>".repeat(300_000))),
        ("lines", format!("{head}{}</Invoice>", "<InvoiceLine/>".repeat(190_000))),
        (
            "attributes",
            format!(
                "{head}<a {}/></Invoice>",
                (0..20_000).map(|index| format!("a{index}='1' ")).collect::<String>()
            ),
        ),
    ];
    for (name, text) in cases {
        assert!(read_soon(name, text.as_bytes()).is_err(), "{name}");
    }
}

#[test]
fn hostile_pdfs_end_in_an_error() {
    let loops = "1 0 obj<</Type/Catalog/Names 1 0 R/Pages 1 0 R/AF[1 0 R]/Kids[1 0 R]>>endobj\n";
    let trailer = "trailer<</Root 1 0 R/Size 2/Prev 0>>\nstartxref\n0\n%%EOF";
    let cases = [
        ("only a head", "%PDF-1.7".to_owned()),
        ("noise", format!("%PDF-1.7\n{}", "<<[(".repeat(1_000_000))),
        (
            "objects without a table",
            format!("%PDF-1.7\n{}", "1 0 obj<</A 1 0 R>>endobj\n".repeat(100_000)),
        ),
        (
            "loops",
            format!("%PDF-1.7\n{loops}xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \n{trailer}"),
        ),
        ("a table of lies", format!("%PDF-1.7\nxref\n0 4294967295\n{trailer}")),
        (
            "a table far away",
            "%PDF-1.7\nstartxref\n99999999999999999999\n%%EOF".to_owned(),
        ),
    ];
    for (name, text) in cases {
        assert!(
            matches!(read_soon(name, text.as_bytes()), Err(ReadError::Unreadable(_))),
            "{name}"
        );
    }
}

#[test]
fn too_much_is_not_looked_at() {
    let limits = Limits {
        input_bytes_max: 100,
        stream_bytes_max: 100,
    };
    let refused = xml::read(&[b' '; 101], &limits);
    assert_eq!(
        refused,
        Err(ReadError::TooLarge {
            bytes: 101,
            bytes_max: 100
        })
    );
    let small_streams = Limits {
        input_bytes_max: 1 << 20,
        stream_bytes_max: 2_000,
    };
    assert!(matches!(
        xml::read(&hybrid(), &small_streams),
        Err(ReadError::Unreadable(_))
    ));
}

fn hybrid() -> Vec<u8> {
    let options = PageOptions {
        language: Language::English,
        written_on: date("2026-11-23"),
    };
    let rendered = pdf::hybrid(&documents::till(), HybridProfile::Core, options);
    rendered.expect("a good invoice").pdf
}

#[test]
fn damaged_files_never_stop_the_reader() {
    let pdf = hybrid();
    let written = xml::ubl(&documents::rich(), Profile::Core)
        .expect("a good invoice")
        .into_bytes();
    for (name, good) in [("pdf", &pdf), ("xml", &written)] {
        for step in 1..40 {
            let cut = good.len() * step / 40;
            assert!(
                read_soon(name, &good[..cut]).is_err() || name == "pdf",
                "{name} cut at {cut}"
            );
            let mut changed = good.clone();
            // Places and values spread over the file without a random number.
            for place in 0..8 {
                let index = (cut + place * 7919) % changed.len();
                changed[index] = changed[index].wrapping_mul(31).wrapping_add(17);
            }
            // Well or not, it must come back.
            let _ = read_soon(name, &changed).is_ok();
        }
    }
}
