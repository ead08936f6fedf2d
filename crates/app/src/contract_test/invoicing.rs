//! The contract of the invoice platform.

use std::time::Duration;

use onescan_domain::ids::{MerchantId, PaymentId, RefundId};
use onescan_domain::money::Currency;
use onescan_einvoice::Decimal;
use onescan_einvoice::invoice::{Address, Contact, Invoice, Kind, Line, Original, Party, Payment, Prices, Vat};
use onescan_einvoice::pdf::Language;
use onescan_platforms::env::sha256_hex;
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::{
    CreditCause, CreditRequest, DocumentKey, Draft, Invoicing, IssueRequest, IssuedDocument, IssuerProfile, Numbering,
    Standing, Subject, YearInNumber,
};

use super::Trial;

/// How often a document that follows is asked for before it counts as late.
const ASKED_MAX: usize = 40;
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn run(trial: &mut Trial, invoicing: &dyn Invoicing) {
    let merchant = MerchantId::new(trial.id());
    let subject = Subject::Payment(PaymentId::new(trial.id()));
    let key = DocumentKey::Invoice(subject);
    let standing = invoicing.status(merchant, key).await;
    trial.answer("status", "unknown before anybody asked", standing, |standing| {
        *standing == Standing::Unknown
    });

    let request = IssueRequest {
        subject,
        issuer: issuer(merchant),
        draft: Draft {
            document: document(trial, Kind::Invoice, 1_190),
            channels: Vec::new(),
        },
    };
    let issued = invoicing.issue(request.clone()).await;
    let Some(issued) = followed(trial, invoicing, "issue", merchant, key, issued).await else {
        return;
    };
    trial.check("issue", "has a number", !issued.number.is_empty(), &issued.number);
    trial.check(
        "issue",
        "the sum is the document's",
        issued.gross.minor == 1_190,
        &issued.gross,
    );
    let again = invoicing.issue(request.clone()).await;
    trial.answer("issue", "a repeat answers with the first document", again, |again| {
        *again == Standing::Issued(issued.clone())
    });
    let mut other = request;
    other.draft.document = document(trial, Kind::Invoice, 2_380);
    let other = invoicing.issue(other).await;
    trial.answer("issue", "refuses other content under the same key", other, |answer| {
        matches!(answer, Standing::Refused(_))
    });
    let standing = invoicing.status(merchant, key).await;
    trial.answer("status", "issued", standing, |standing| {
        *standing == Standing::Issued(issued.clone())
    });
    files(trial, invoicing, merchant, key, &issued).await;

    let original = Original {
        number: issued.number.clone(),
        issued_on: Some(issued.issued_on),
    };
    let cause = CreditCause::Refund(RefundId::new(trial.id()));
    let credit = CreditRequest {
        of: subject,
        cause,
        issuer: issuer(merchant),
        draft: Draft {
            document: document(
                trial,
                Kind::CreditNote {
                    original: original.clone(),
                },
                595,
            ),
            channels: Vec::new(),
        },
    };
    let credit_key = credit.key();
    let credited = invoicing.credit(credit.clone()).await;
    if let Some(credited) = followed(trial, invoicing, "credit", merchant, credit_key, credited).await {
        let again = invoicing.credit(credit.clone()).await;
        trial.answer("credit", "a repeat answers with the first document", again, |again| {
            *again == Standing::Issued(credited.clone())
        });
    }
    let mut more = credit;
    more.cause = CreditCause::Refund(RefundId::new(trial.id()));
    more.draft.document = document(trial, Kind::CreditNote { original }, 1_190);
    let more = invoicing.credit(more).await;
    trial.answer("credit", "refuses more than the invoice says", more, |answer| {
        matches!(answer, Standing::Refused(_))
    });
}

/// The document, now or in a moment.
async fn followed(
    trial: &mut Trial,
    invoicing: &dyn Invoicing,
    call: &str,
    merchant: MerchantId,
    key: DocumentKey,
    first: Result<Standing>,
) -> Option<IssuedDocument> {
    let mut standing = first;
    for _ in 0..ASKED_MAX {
        match standing {
            Ok(Standing::Accepted { .. }) => {}
            standing => {
                let answer = trial.answer(call, "issues, now or in a moment", standing, |standing| {
                    matches!(standing, Standing::Issued(_))
                });
                return match answer {
                    Some(Standing::Issued(document)) => Some(document),
                    Some(Standing::Unknown | Standing::Accepted { .. } | Standing::Refused(_)) | None => None,
                };
            }
        }
        tokio::time::sleep(PAUSE).await;
        standing = invoicing.status(merchant, key).await;
    }
    trial.check(
        call,
        "issues, now or in a moment",
        false,
        &"accepted, and nothing followed",
    );
    None
}

async fn files(
    trial: &mut Trial,
    invoicing: &dyn Invoicing,
    merchant: MerchantId,
    key: DocumentKey,
    issued: &IssuedDocument,
) {
    trial.check(
        "issue",
        "names at least one form of the document",
        !issued.files.is_empty(),
        &issued.files,
    );
    for file in &issued.files {
        let fetched = invoicing.fetch(merchant, key, file.format).await;
        trial.answer("fetch", "the bytes are those that the answer named", fetched, |bytes| {
            let bytes = bytes.as_deref().unwrap_or_default();
            bytes.len() as u64 == file.bytes && sha256_hex(bytes) == file.sha256
        });
        let stranger = DocumentKey::Invoice(Subject::Payment(PaymentId::new(trial.id())));
        let nothing = invoicing.fetch(merchant, stranger, file.format).await;
        trial.answer("fetch", "null where there is no document", nothing, Option::is_none);
    }
    let foreign = invoicing.status(MerchantId::new(trial.id()), key).await;
    trial.answer("status", "a document is its issuer's alone", foreign, |standing| {
        *standing == Standing::Unknown
    });
}

fn issuer(merchant: MerchantId) -> IssuerProfile {
    IssuerProfile {
        merchant,
        numbering: Numbering {
            prefix: "CT-".to_owned(),
            credit_prefix: "CC-".to_owned(),
            year: YearInNumber::With,
            width: 6,
        },
        language: Language::English,
        logo: None,
    }
}

/// One line at 19 %, its price with tax, all of it paid. `gross_minor`: a multiple of 119.
fn document(trial: &Trial, kind: Kind, gross_minor: i64) -> Invoice {
    let party = |name: &str, city: &str| Party {
        name: name.to_owned(),
        address: Address {
            city: Some(city.to_owned()),
            country: "DE".to_owned(),
            ..Address::default()
        },
        contact: Contact::default(),
        ..Party::default()
    };
    let mut seller = party("Corner Canteen GmbH", "Berlin");
    seller.vat_id = Some("DE123456788".to_owned());
    let decimal = |mantissa, scale| Decimal::new(mantissa, scale).unwrap_or(Decimal::ZERO);
    let line = Line {
        id: "1".to_owned(),
        name: "Lunch".to_owned(),
        description: None,
        note: None,
        quantity: decimal(1, 0),
        unit: "C62".to_owned(),
        price: decimal(gross_minor, 2),
        price_base: decimal(1, 0),
        vat: Vat::standard(decimal(19, 0)),
        adjustments: Vec::new(),
        object_id: None,
        period: None,
        attributes: Vec::new(),
    };
    Invoice {
        kind,
        number: String::new(),
        issued_on: trial.today(),
        delivered_on: None,
        due_on: None,
        period: None,
        currency: Currency::EUR,
        prices: Prices::Gross,
        seller,
        buyer: party("Ada Lovelace", "Hamburg"),
        buyer_reference: None,
        order_reference: None,
        lines: vec![line],
        adjustments: Vec::new(),
        exemptions: Vec::new(),
        prepaid_minor: gross_minor,
        payment: Some(Payment::Online {
            service: "Onescan".to_owned(),
        }),
        payment_terms: None,
        notes: Vec::new(),
        attachments: Vec::new(),
    }
}
