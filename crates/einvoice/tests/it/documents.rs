//! Invoices of many kinds, between parties that do not exist.

use onescan_domain::money::Currency;
use onescan_einvoice::invoice::{
    Address, Adjustment, Attachment, Contact, Direction, DocumentAdjustment, Exemption, Identifier, Kind, Line,
    MediaType, Original, Party, Payment, Prices, Vat, VatCategory,
};
use onescan_einvoice::rides::{Ride, RideTexts, Side, invoice_of_rides};
use onescan_einvoice::{Date, Decimal, Invoice, LocalMinute, Period};

pub fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).expect("a test's number")
}

pub fn date(text: &str) -> Date {
    Date::parse(text).expect("a test's date")
}

pub fn taxed(percent: &str) -> Vat {
    Vat::standard(decimal(percent))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub fn seller() -> Party {
    Party {
        name: "Łódzka Kawiarnia GmbH".to_owned(),
        trading_name: some("Kaffee am Markt"),
        address: Address {
            street: some("Marktplatz 1"),
            city: some("Köln"),
            postcode: some("50667"),
            country: "DE".to_owned(),
            ..Address::default()
        },
        vat_id: some("DE123456789"),
        tax_number: some("215/5812/3456"),
        legal_id: None,
        electronic_address: Some(Identifier {
            scheme: some("9930"),
            value: "DE123456789".to_owned(),
        }),
        contact: Contact {
            name: some("Anna Müller"),
            phone: some("+49 221 123456"),
            email: some("anna@example.com"),
        },
    }
}

pub fn buyer() -> Party {
    Party {
        name: "上海示例科技有限公司".to_owned(),
        address: Address {
            street: some("示例路88号"),
            city: some("上海市"),
            postcode: some("200000"),
            country: "CN".to_owned(),
            ..Address::default()
        },
        legal_id: Some(Identifier {
            scheme: None,
            value: "91310115MA1K000003".to_owned(),
        }),
        electronic_address: Some(Identifier {
            scheme: some("0204"),
            value: "991-01234-56".to_owned(),
        }),
        ..Party::default()
    }
}

pub fn head(prices: Prices, currency: &str) -> Invoice {
    Invoice {
        kind: Kind::Invoice,
        number: "2026-000123".to_owned(),
        issued_on: date("2026-11-23"),
        delivered_on: Some(date("2026-11-20")),
        due_on: Some(date("2026-12-07")),
        period: None,
        currency: Currency::parse(currency).expect("a test's currency"),
        prices,
        seller: seller(),
        buyer: buyer(),
        buyer_reference: some("04011000-12345-03"),
        order_reference: None,
        lines: Vec::new(),
        adjustments: Vec::new(),
        exemptions: Vec::new(),
        prepaid_minor: 0,
        payment: Some(Payment::CreditTransfer {
            iban: "DE02120300000000202051".to_owned(),
            bic: some("BYLADEM1001"),
            holder: some("Łódzka Kawiarnia GmbH"),
            reference: some("2026-000123"),
        }),
        payment_terms: None,
        notes: Vec::new(),
        attachments: Vec::new(),
    }
}

pub fn line(id: &str, name: &str, quantity: &str, price: &str, vat: Vat) -> Line {
    Line::new(id, name, decimal(quantity), decimal(price), vat)
}

pub fn adjustment(direction: Direction, amount_minor: i64, reason: &str) -> Adjustment {
    Adjustment {
        direction,
        amount_minor,
        reason: reason.to_owned(),
    }
}

/// Everything at once: two rates and an exempt line, allowances and charges, fine prices, an attachment, a prepayment.
pub fn rich() -> Invoice {
    let mut invoice = head(Prices::Net, "EUR");
    let mut beans = line("1", "Kaffeebohnen Ζυθοποιία Кофе", "2.5", "3.2916", taxed("7"));
    beans.unit = "KGM".to_owned();
    beans.description = some("Zwei Sorten & <mehr>, \"frisch\" 咖啡豆");
    beans.adjustments = vec![
        adjustment(Direction::Allowance, 50, "Treuerabatt"),
        adjustment(Direction::Charge, 20, "Verpackung"),
    ];
    beans.attributes = vec![("Herkunft".to_owned(), "云南".to_owned())];
    let mut cups = line("2", "Becher", "144", "10", taxed("19"));
    cups.price_base = decimal("12");
    cups.note = some("je Dutzend");
    cups.period = Some(Period {
        first_on: date("2026-11-01"),
        last_on: date("2026-11-20"),
    });
    let returned = line("3", "Pfand zurück", "-3", "0.25", taxed("19"));
    let course = line("4", "Barista-Kurs", "1", "80", Vat::untaxed(VatCategory::Exempt));
    invoice.lines = vec![beans, cups, returned, course];
    invoice.adjustments = vec![
        DocumentAdjustment {
            adjustment: adjustment(Direction::Allowance, 500, "Mengenrabatt"),
            vat: taxed("19"),
        },
        DocumentAdjustment {
            adjustment: adjustment(Direction::Charge, 490, "Versand"),
            vat: taxed("19"),
        },
    ];
    invoice.exemptions = vec![Exemption {
        category: VatCategory::Exempt,
        reason: "Steuerfrei nach § 4 Nr. 21 UStG".to_owned(),
        code: None,
    }];
    invoice.notes = vec!["Vielen Dank für Ihren Besuch.\n谢谢惠顾。".to_owned()];
    invoice.payment_terms = some("Zahlbar bis 7. Dezember 2026 ohne Abzug.");
    invoice.prepaid_minor = 1000;
    invoice.attachments = vec![Attachment {
        id: "list".to_owned(),
        description: some("Einzelnachweis"),
        file_name: "nachweis.csv".to_owned(),
        media_type: MediaType::Csv,
        content: b"a,b\r\n1,2\r\n".to_vec(),
    }];
    invoice
}

/// A till's receipt: prices with tax, paid by service code.
pub fn till() -> Invoice {
    let mut invoice = head(Prices::Gross, "EUR");
    let mut menu = line("2", "Mittagsmenü", "3", "11.11", taxed("7"));
    menu.adjustments = vec![adjustment(Direction::Allowance, 100, "Gutschein")];
    invoice.lines = vec![
        line("1", "Cappuccino", "7", "3.33", taxed("19")),
        menu,
        line("3", "Wasser", "1", "0.01", taxed("19")),
    ];
    invoice.adjustments = vec![DocumentAdjustment {
        adjustment: adjustment(Direction::Allowance, 77, "Aktion"),
        vat: taxed("19"),
    }];
    // 23.31 + 33.33 - 1.00 + 0.01 - 0.77
    invoice.prepaid_minor = 5488;
    invoice.payment = Some(Payment::Online {
        service: "Onescan".to_owned(),
    });
    invoice.due_on = None;
    invoice
}

pub fn credit_note() -> Invoice {
    let mut note = till();
    note.kind = Kind::CreditNote {
        original: Original {
            number: note.number.clone(),
            issued_on: Some(note.issued_on),
        },
    };
    note.number = "2026-000124".to_owned();
    note.prepaid_minor = 0;
    note
}

pub fn small_business() -> Invoice {
    let mut invoice = head(Prices::Net, "EUR");
    invoice.seller.vat_id = None;
    invoice.lines = vec![line("1", "Haarschnitt", "1", "25", Vat::untaxed(VatCategory::Exempt))];
    invoice.exemptions = vec![Exemption {
        category: VatCategory::Exempt,
        reason: "Kein Ausweis von Umsatzsteuer, da Kleinunternehmer nach § 19 UStG".to_owned(),
        code: None,
    }];
    invoice
}

/// One untaxed category that speaks of the buyer; `None` as code where the list of codes has none.
pub fn abroad(category: VatCategory, reason: &str, code: &str) -> Invoice {
    let mut invoice = head(Prices::Net, "EUR");
    invoice.buyer = Party {
        name: "Exemple SARL".to_owned(),
        vat_id: some("FR12345678901"),
        ..buyer()
    };
    invoice.buyer.address.country = "FR".to_owned();
    invoice.lines = vec![line("1", "Beratung", "3.5", "120", Vat::untaxed(category))];
    invoice.exemptions = vec![Exemption {
        category,
        reason: reason.to_owned(),
        code: some(code),
    }];
    invoice
}

pub fn reverse_charge() -> Invoice {
    abroad(VatCategory::ReverseCharge, "Reverse charge", "VATEX-EU-AE")
}

pub fn intra_community() -> Invoice {
    abroad(VatCategory::IntraCommunity, "Intra-Community supply", "VATEX-EU-IC")
}

pub fn export() -> Invoice {
    abroad(VatCategory::Export, "Export outside the EU", "VATEX-EU-G")
}

pub fn zero_rated() -> Invoice {
    let mut invoice = head(Prices::Net, "EUR");
    invoice.lines = vec![
        line("1", "Buch", "2", "12.345", Vat::untaxed(VatCategory::ZeroRated)),
        line("2", "Heft", "1", "1", taxed("5.5")),
    ];
    invoice
}

pub fn outside_scope() -> Invoice {
    let mut invoice = head(Prices::Net, "EUR");
    invoice.seller.vat_id = None;
    invoice.seller.tax_number = None;
    invoice.seller.legal_id = Some(Identifier {
        scheme: None,
        value: "HRB 12345".to_owned(),
    });
    invoice.lines = vec![line("1", "Gebühr", "1", "30", Vat::untaxed(VatCategory::OutsideScope))];
    invoice.exemptions = vec![Exemption {
        category: VatCategory::OutsideScope,
        reason: "Nicht steuerbar".to_owned(),
        code: some("VATEX-EU-O"),
    }];
    invoice
}

pub fn yen() -> Invoice {
    let mut invoice = head(Prices::Gross, "JPY");
    invoice.lines = vec![
        line("1", "ラーメン", "3", "980", taxed("10")),
        line("2", "お茶", "1", "151", taxed("8")),
    ];
    invoice
}

pub fn dinar() -> Invoice {
    let mut invoice = head(Prices::Net, "KWD");
    invoice.lines = vec![line("1", "Coffee", "3", "1.250", taxed("5.6"))];
    invoice
}

pub fn card() -> Invoice {
    let mut invoice = zero_rated();
    invoice.payment = Some(Payment::Card {
        last_digits: "4242".to_owned(),
        holder: some("Li Na"),
    });
    invoice
}

pub fn direct_debit() -> Invoice {
    let mut invoice = zero_rated();
    invoice.payment = Some(Payment::DirectDebit {
        mandate: "M-1".to_owned(),
        creditor_id: "DE98ZZZ09999999999".to_owned(),
        debited_iban: "DE02120300000000202051".to_owned(),
    });
    invoice
}

pub fn ride(number: u32) -> Ride {
    let minute = |hour: u32, minute: u32| {
        let date = Date::new(2026, 11, u8::try_from(1 + number % 28).expect("a day")).expect("a day of November");
        let small = |value: u32| u8::try_from(value).expect("a part of a clock");
        LocalMinute::new(date, small(hour), small(minute), 480).expect("a time of the day")
    };
    Ride {
        id: format!("R-{number:05}"),
        started_at: minute(8 + number % 12, number % 60),
        started_in: "人民广场".to_owned(),
        ended_at: minute(9 + number % 12, number % 60),
        ended_in: "虹桥机场, T2".to_owned(),
        side: Side::Charge,
        amount_minor: 1234 + i64::from(number),
        vat: taxed("3"),
        distance_m: Some(12_050),
        passenger: some("李娜"),
        vehicle: some("沪A·12345"),
        cost_centre: None,
    }
}

pub fn rides(count: u32) -> Invoice {
    let mut invoice = head(Prices::Gross, "CNY");
    invoice.delivered_on = None;
    let texts = RideTexts {
        item: "客运服务费".to_owned(),
        credit: "客运服务费退款".to_owned(),
        list: "行程单".to_owned(),
    };
    let rides: Vec<Ride> = (1..=count).map(ride).collect();
    invoice.payment = Some(Payment::Cash);
    invoice = invoice_of_rides(invoice, &rides, &texts).expect("good rides");
    invoice
}

/// Every kind by its name.
pub fn all() -> Vec<(&'static str, Invoice)> {
    vec![
        ("rich", rich()),
        ("till", till()),
        ("credit_note", credit_note()),
        ("small_business", small_business()),
        ("reverse_charge", reverse_charge()),
        ("intra_community", intra_community()),
        ("export", export()),
        ("zero_rated", zero_rated()),
        ("outside_scope", outside_scope()),
        ("yen", yen()),
        ("dinar", dinar()),
        ("card", card()),
        ("direct_debit", direct_debit()),
        ("rides", rides(40)),
    ]
}
