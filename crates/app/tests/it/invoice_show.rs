//! `onescan invoice show`: invoices of anybody, good and hostile. Row S20.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use onescan_domain::money::Currency;
use onescan_domain::profiles::{ProfileFields, TitleKind};
use onescan_einvoice::invoice::{Identifier, Invoice, Kind, Line, Original, Party, Prices, Vat};
use onescan_einvoice::pdf::{self, HybridProfile, Language, PageOptions};
use onescan_einvoice::titles::profile::buyer_of;
use onescan_einvoice::xml::{self, Profile, Syntax};
use onescan_einvoice::{Date, Decimal};

use crate::support::program::{Program, Ran};

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn party(name: &str, vat_id: &str, scheme: &str) -> Party {
    let fields = ProfileFields {
        vat_id: Some(vat_id.to_owned()),
        country: Some(vat_id[..2].to_owned()),
        city: Some("Köln".to_owned()),
        postcode: Some("50667".to_owned()),
        ..ProfileFields::new(TitleKind::Company, name)
    };
    Party {
        electronic_address: Some(Identifier {
            scheme: Some(scheme.to_owned()),
            value: vat_id.to_owned(),
        }),
        ..buyer_of(&fields)
    }
}

pub fn invoice() -> Invoice {
    let vat = Vat::standard(decimal("19"));
    Invoice {
        kind: Kind::Invoice,
        number: "2026-7".to_owned(),
        issued_on: Date::parse("2026-11-23").unwrap(),
        delivered_on: Date::parse("2026-11-20"),
        due_on: Date::parse("2026-12-07"),
        period: None,
        currency: Currency::EUR,
        prices: Prices::Net,
        seller: party("Nordlicht GmbH", "DE123456789", "9930"),
        buyer: party("上海示例 S.à r.l.", "FR12345678901", "9957"),
        buyer_reference: Some("K-7".to_owned()),
        order_reference: None,
        lines: vec![
            Line::new("1", "咖啡", decimal("3"), decimal("3.2916"), vat),
            Line::new("2", "Cake", decimal("1"), decimal("4"), Vat::standard(decimal("7"))),
        ],
        adjustments: Vec::new(),
        exemptions: Vec::new(),
        prepaid_minor: 100,
        payment: None,
        payment_terms: None,
        notes: Vec::new(),
        attachments: Vec::new(),
    }
}

fn show(bytes: &[u8], more: &[&str]) -> Ran {
    let program = Program::new();
    fs::write(program.path().join("file"), bytes).unwrap();
    program.run(&[&["invoice", "show", "file"], more].concat())
}

#[test]
fn s20_every_format_is_shown_the_same() {
    let mut note = invoice();
    note.kind = Kind::CreditNote {
        original: Original {
            number: "2026-6".to_owned(),
            issued_on: None,
        },
    };
    note.due_on = None;
    let options = PageOptions {
        language: Language::English,
        written_on: Date::parse("2026-11-23").unwrap(),
    };
    for (invoice, kind) in [(invoice(), "invoice"), (note, "credit_note")] {
        let mut files: Vec<Vec<u8>> = [
            (Syntax::Ubl, Profile::Core),
            (Syntax::Cii, Profile::Core),
            (Syntax::Ubl, Profile::Peppol),
        ]
        .into_iter()
        .map(|(syntax, profile)| xml::write(&invoice, syntax, profile).unwrap().into_bytes())
        .collect();
        files.push(pdf::hybrid(&invoice, HybridProfile::Core, options).unwrap().pdf);
        for file in files {
            let ran = show(&file, &["--json"]);
            assert_eq!(ran.status, 0, "{ran:#?}");
            let shown: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!(
                (shown["kind"].as_str(), shown["number"].as_str()),
                (Some(kind), Some("2026-7"))
            );
            assert_eq!(shown["buyer"]["name"], "上海示例 S.à r.l.");
            assert_eq!(shown["buyer"]["vat_id"], "FR12345678901");
            assert_eq!(shown["lines"][0]["net_minor"], 987);
            assert_eq!(shown["rates"].as_array().unwrap().len(), 2);
            assert_eq!(shown["totals"]["gross_minor"], 987 + 188 + 400 + 28);
            assert_eq!(shown["totals"]["due_minor"], 1503);
            assert_eq!(shown["wrong"], serde_json::json!([]));
        }
    }
}

#[test]
fn s20_an_invoice_is_printed_for_people() {
    let xml = xml::ubl(&invoice(), Profile::Core).unwrap();
    let ran = show(xml.as_bytes(), &[]);
    insta::assert_snapshot!(ran.stdout, @r"
    document        invoice 2026-7 of 2026-11-23
    written as      UBL (urn:cen.eu:en16931:2017)
    seller          Nordlicht GmbH, 50667, Köln, DE, DE123456789
    buyer           上海示例 S.à r.l., 50667, Köln, FR, FR12345678901
    delivered on    2026-11-20
    due on          2026-12-07
    reference       K-7

    #  name  quantity  price   tax     net
    1  咖啡  3 C62     3.2916  S 19 %  9.87
    2  Cake  1 C62     4       S 7 %   4.00

    without tax     13.87 EUR
    tax S 7 %       0.28 EUR on 4.00 EUR
    tax S 19 %      1.88 EUR on 9.87 EUR
    tax             2.16 EUR
    total           16.03 EUR
    paid            1.00 EUR
    to pay          15.03 EUR

    Nothing is wrong with it.
    ");
    // The same from standard input.
    let program = Program::new();
    let mut command = program.command(&["invoice", "show", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(xml.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), ran.stdout);
}

#[test]
fn s20_what_is_wrong_is_named() {
    let xml = xml::ubl(&invoice(), Profile::Core).unwrap();
    let changed = xml.replacen(">13.87<", ">14.87<", 2);
    assert_ne!(changed, xml);
    let ran = show(changed.as_bytes(), &[]);
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(
        ran.stdout.contains("What is wrong:") && ran.stdout.contains("BT-109") && ran.stdout.contains("BR-CO-"),
        "{ran:#?}"
    );
}

#[test]
fn s20_hostile_files_end_in_a_clear_error() {
    let head = r#"<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">"#;
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>"#;
    let cases = [
        ("nothing", Vec::new(), "not a readable invoice"),
        (
            "entities",
            format!("{bomb}{head}&b;</Invoice>").into_bytes(),
            "document type declaration",
        ),
        (
            "depth",
            format!("{head}{}", "<a>".repeat(500_000)).into_bytes(),
            "nested deeper",
        ),
        (
            "repetition",
            format!("{head}{}</Invoice>", "<a/>".repeat(500_000)).into_bytes(),
            "again and again",
        ),
        ("a huge file", vec![b' '; 17 << 20], "more than 16777216"),
        (
            "a table of lies",
            b"%PDF-1.7\nxref\n0 4294967295\ntrailer<</Root 1 0 R/Prev 0>>\nstartxref\n9\n%%EOF".to_vec(),
            "not a readable invoice",
        ),
        ("letters that are none", vec![0xff; 1000], "not a readable invoice"),
    ];
    for (name, bytes, expected) in cases {
        let ran = show(&bytes, &[]);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{name}");
        assert!(
            ran.stderr.contains(expected) && ran.stderr.len() < 500,
            "{name}: {}",
            ran.stderr
        );
    }
    let ran = Program::new().run(&["invoice", "show", "nowhere.xml"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("nowhere.xml"), "{}", ran.stderr);
}
