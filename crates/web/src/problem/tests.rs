use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{InvoiceId, MerchantId, PersonId, RawId};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::{ChangeRefusal, PaymentRefusal};
use onescan_domain::policy::{Allowed, Condition, Dimension, Operator, Seen, Verdict};
use onescan_domain::text::TextError;
use onescan_platforms::access::{AccessRefusal, PasswordRefusal};
use onescan_platforms::codes::CreateRefusal;
use onescan_platforms::error::PlatformError;
use onescan_platforms::institutions::{ImportProblem, InstitutionRefusal};
use onescan_platforms::invoicing::ReportRefusal;
use onescan_platforms::invoicing::draft::DraftError;
use onescan_platforms::merchants::MerchantRefusal;
use onescan_platforms::payments::MoveRefusal;
use onescan_platforms::people::PersonRefusal;
use onescan_platforms::processing::delivery::InvoiceRefusal;
use onescan_platforms::processing::issuing::ApplyRefusal;
use onescan_platforms::profiles::ChooseRefusal;

use super::*;

fn payment() -> PaymentId {
    PaymentId::new(RawId::from_parts(1, Bucket::new(0).unwrap(), 1))
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// Status, code, and what else a program reads, in one line.
fn line(problem: Problem) -> String {
    let content = &problem.0;
    let mut text = format!("{} {}", content.code.status().as_u16(), content.code.name());
    if let Some(field) = &content.field {
        write!(text, " field={field}").unwrap();
    }
    if content.payment.is_some() {
        text.push_str(" payment");
    }
    if let Some(seconds) = content.retry_after_s {
        write!(text, " after={seconds}").unwrap();
    }
    for reason in &content.reasons {
        let shown = [
            reason.field.as_deref(),
            reason.dimension,
            reason.operator,
            reason.seen.as_deref(),
            reason.allowed.as_deref(),
        ];
        let left = reason.left.map(|left| format!("left {left}"));
        let shown: Vec<&str> = shown.into_iter().flatten().chain(left.as_deref()).collect();
        write!(text, " [{}]", shown.join(" ")).unwrap();
    }
    text
}

fn check(problem: impl Into<Problem>, expected: &str) {
    assert_eq!(line(problem.into()), expected);
}

#[test]
fn the_table_has_each_code_once_with_its_own_name() {
    let codes: HashSet<Code> = CODES.iter().map(|row| row.code).collect();
    let names: HashSet<&str> = CODES.iter().map(|row| row.name).collect();
    assert_eq!((codes.len(), names.len()), (CODES.len(), CODES.len()));
    for row in CODES {
        let clean = row.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(clean && !row.title.is_empty() && !row.about.is_empty(), "{}", row.name);
        assert!(row.status.is_client_error() || row.status.is_server_error());
        assert_eq!(row.code.row().name, row.name);
    }
}

#[test]
fn codes_that_cannot_be_used() {
    let full = |refusal| line(Problem::of_code(refusal, TerminalTrust::Full));
    let used = CodeRefusal::Used { payment: payment() };
    assert_eq!(full(CodeRefusal::Unknown), "404 code-unknown field=code");
    assert_eq!(full(CodeRefusal::RecordInactive), "409 record-inactive field=code");
    assert_eq!(full(CodeRefusal::NotTied), "409 not-tied field=code");
    assert_eq!(full(used), "409 code-used field=code");
    assert_eq!(full(CodeRefusal::Expired), "410 code-expired field=code");
    for refusal in [
        CodeRefusal::Unknown,
        CodeRefusal::RecordInactive,
        CodeRefusal::NotTied,
        used,
        CodeRefusal::Expired,
    ] {
        let problem = Problem::of_code(refusal, TerminalTrust::Limited);
        assert_eq!(problem.detail(), "the code cannot be used");
        check(problem, "409 code-invalid field=code");
    }
    check(CodeTextError::Length { length: 3 }, "422 code-mistyped field=code");
    check(CodeTextError::NotDigits { position: 3 }, "422 code-mistyped field=code");
    check(CodeTextError::CheckDigit, "422 code-mistyped field=code");
}

#[test]
fn scans_and_payments_that_are_not_taken() {
    let pay = |error| line(Problem::of_pay(error, TerminalTrust::Full, 1_000));
    assert_eq!(pay(PayError::KeyRevoked), "401 unauthenticated");
    assert_eq!(
        pay(PayError::TerminalLocked { until: 2_001 }),
        "429 terminal-locked after=2"
    );
    assert_eq!(pay(PayError::KeyConflict), "409 idempotency-key-conflict");
    assert_eq!(
        pay(PayError::OrderConflict { payment: payment() }),
        "409 order-number-conflict payment"
    );
    assert_eq!(pay(PayError::Code(CodeRefusal::Expired)), "410 code-expired field=code");
    let scan = |refusal| line(Problem::of_scan(refusal, TerminalTrust::Limited, 1_000));
    assert_eq!(
        scan(ScanRefusal::TerminalLocked { until: 900 }),
        "429 terminal-locked after=0"
    );
    assert_eq!(
        scan(ScanRefusal::Code(CodeRefusal::Unknown)),
        "409 code-invalid field=code"
    );
}

#[test]
fn payments_that_are_refused() {
    let condition = Condition::new(Dimension::AmountDay, Operator::AtMost, Allowed::Number(6_000));
    let reason = |verdict| Reason {
        condition: Arc::new(condition.clone().unwrap()),
        seen: Some(Seen::Number(7_000)),
        verdict,
        negated: false,
        excused: false,
        left: Some(2_000),
    };
    let limit = PaymentRefusal::LimitExceeded {
        trace: vec![reason(Verdict::Holds), reason(Verdict::Fails)],
    };
    check(&limit, "422 limit-exceeded [amount_day <= 7000 6000 left 2000]");
    let currency = PaymentRefusal::CurrencyMismatch {
        payer: Currency::EUR,
        asked: Currency::CNY,
    };
    check(&currency, "422 currency-mismatch [amount.currency CNY EUR]");
    check(
        &PaymentRefusal::ScenarioNotPermitted { category: 742 },
        "422 scenario-not-permitted [category 0742]",
    );
    check(&PaymentRefusal::InsufficientFunds, "422 insufficient-funds");
    let cap = Some(Money::new(500, Currency::CNY));
    check(&PaymentRefusal::NoConsent { cap }, "422 no-consent [consent 500]");
}

#[test]
fn changes_and_movements_that_are_refused() {
    check(ChangeRefusal::KeyConflict, "409 idempotency-key-conflict");
    check(ChangeRefusal::Unknown, "404 not-found");
    check(ChangeRefusal::NumberConflict, "409 refund-number-conflict field=number");
    check(ChangeRefusal::State { state: "voided" }, "409 wrong-state");
    check(
        ChangeRefusal::TooMuch { left: eur(50) },
        "422 amount-too-large [amount left 50]",
    );
    let currency = ChangeRefusal::CurrencyMismatch {
        payment: Currency::EUR,
        asked: Currency::CNY,
    };
    check(currency, "422 currency-mismatch [amount.currency CNY EUR]");
    check(MoveRefusal::KeyConflict, "409 idempotency-key-conflict");
    check(MoveRefusal::Unknown, "404 not-found");
    check(MoveRefusal::NotTogether, "404 not-found");
    let currency = MoveRefusal::CurrencyMismatch {
        account: Currency::EUR,
        asked: Currency::CNY,
    };
    check(currency, "422 currency-mismatch [amount.currency CNY EUR]");
    check(
        MoveRefusal::InsufficientFunds { available: eur(7) },
        "422 insufficient-funds [amount left 7]",
    );
}

#[test]
fn people_and_institutions_that_are_not_taken() {
    let error = TextError::Empty;
    check(
        PersonRefusal::Text {
            field: "name",
            error: error.clone(),
        },
        "422 invalid-fields field=name [name]",
    );
    check(PersonRefusal::LoginShape, "422 invalid-fields field=login [login]");
    check(PersonRefusal::Language, "422 invalid-fields field=language [language]");
    check(
        PersonRefusal::TimeZone,
        "422 invalid-fields field=time_zone [time_zone]",
    );
    for refusal in [
        PasswordRefusal::TooShort,
        PasswordRefusal::TooLong,
        PasswordRefusal::SameAsLogin,
        PasswordRefusal::Common,
    ] {
        check(refusal, "422 invalid-fields field=password [password]");
        check(
            PersonRefusal::Password(refusal),
            "422 invalid-fields field=password [password]",
        );
    }
    check(PersonRefusal::LoginTaken, "409 taken field=login");
    check(PersonRefusal::IdentityTaken, "409 taken field=identity");
    check(
        InstitutionRefusal::Text { field: "name", error },
        "422 invalid-fields field=name [name]",
    );
    check(
        InstitutionRefusal::TimeZone,
        "422 invalid-fields field=time_zone [time_zone]",
    );
    check(InstitutionRefusal::Unknown, "404 not-found");
    check(
        InstitutionRefusal::UnknownParent,
        "422 invalid-fields field=parent [parent]",
    );
    check(InstitutionRefusal::TooDeep, "422 invalid-fields field=parent [parent]");
    check(
        InstitutionRefusal::UnknownDepartment,
        "422 invalid-fields field=department [department]",
    );
    check(InstitutionRefusal::DepartmentTaken, "409 taken field=name");
    check(InstitutionRefusal::MemberTaken, "409 taken field=person");
    check(
        InstitutionRefusal::EmployeeNumberTaken,
        "409 taken field=employee_number",
    );
    check(InstitutionRefusal::UnknownMember, "404 not-found");
    check(InstitutionRefusal::LastAdministrator, "409 last-administrator");
}

#[test]
fn files_merchants_and_sign_ins_that_are_not_taken() {
    check(ImportProblem::NotUtf8, "400 unreadable");
    check(ImportProblem::Empty, "400 unreadable");
    let missing = ImportProblem::MissingColumns {
        missing: "login".to_owned(),
        found: "name".to_owned(),
    };
    check(missing, "422 invalid-fields field=header [header]");
    let (expected, found) = (2, 1);
    check(ImportProblem::FieldCount { expected, found }, "400 unreadable");
    let text = String::new();
    check(ImportProblem::Unreadable { text: text.clone() }, "400 unreadable");
    check(
        ImportProblem::IdentityKind,
        "422 invalid-fields field=identity_kind [identity_kind]",
    );
    check(
        ImportProblem::IdentityNumber(text),
        "422 invalid-fields field=identity_number [identity_number]",
    );
    check(ImportProblem::Role, "422 invalid-fields field=role [role]");
    check(
        ImportProblem::Person(PersonRefusal::LoginTaken),
        "409 taken field=login",
    );
    check(
        ImportProblem::Member(InstitutionRefusal::MemberTaken),
        "409 taken field=person",
    );
    let error = TextError::Empty;
    check(
        MerchantRefusal::Text { field: "city", error },
        "422 invalid-fields field=city [city]",
    );
    check(
        MerchantRefusal::Category,
        "422 invalid-fields field=category [category]",
    );
    check(MerchantRefusal::Unknown, "404 not-found");
    check(MerchantRefusal::UnknownStore, "422 invalid-fields field=store [store]");
    let access = |refusal| line(Problem::of_access(refusal, 1_000));
    assert_eq!(access(AccessRefusal::Wrong), "401 sign-in-failed");
    assert_eq!(
        access(AccessRefusal::TooMany { until: 61_000 }),
        "429 too-many-attempts after=60"
    );
    assert_eq!(access(AccessRefusal::Credential), "401 unauthenticated");
}

#[test]
fn codes_choices_and_invoices_that_are_refused() {
    check(CreateRefusal::NoRecord, "409 not-enabled");
    check(CreateRefusal::RecordInactive, "409 record-inactive");
    check(CreateRefusal::NotTied, "409 not-tied");
    check(ChooseRefusal::Unknown, "404 not-found");
    check(
        ChooseRefusal::NotACandidate,
        "422 invalid-fields field=profile [profile]",
    );
    check(ChooseRefusal::Settled, "409 choice-settled");
    check(InvoiceRefusal::NotPaid { state: "voided" }, "409 wrong-state");
    let invoice = Invoice {
        id: InvoiceId::new(payment().raw()),
        kind: InvoiceKind::Invoice,
        origin: InvoiceOrigin::Reported,
        state: InvoiceState::Issued,
        payment: payment(),
        merchant: MerchantId::new(payment().raw()),
        person: PersonId::new(payment().raw()),
        record: CodeRecordId::from_stored("r"),
        member: None,
        scenario: None,
        order_number: "1".to_owned(),
        subject: None,
        profile: None,
        buyer: None,
        seller_name: String::new(),
        setup_version: 0,
        language: "en".to_owned(),
        amount: Money::new(1, Currency::EUR),
        credited_minor: 0,
        refunds_before: Vec::new(),
        number: None,
        issued_on: None,
        issued_at: 0,
        applied_at: 0,
        attempts: 0,
        problem: None,
        red_letter: None,
    };
    check(
        InvoiceRefusal::Issued(ReportRefusal::Issued(Box::new(invoice))),
        "409 invoice-issued payment",
    );
    check(InvoiceRefusal::Apply(ApplyRefusal::NoSetup), "409 no-tax-setup");
    check(InvoiceRefusal::Apply(ApplyRefusal::Billed), "409 wrong-state");
    check(InvoiceRefusal::Apply(ApplyRefusal::NothingLeft), "409 wrong-state");
    check(InvoiceRefusal::Apply(ApplyRefusal::NoBuyer), "409 no-invoice-details");
    check(
        InvoiceRefusal::Apply(ApplyRefusal::Asking { until: 5 }),
        "409 no-invoice-details",
    );
    let lines = DraftError::Overflow;
    check(
        InvoiceRefusal::Apply(lines.into()),
        "422 invalid-fields field=lines [lines]",
    );
    let content = ApplyRefusal::Content {
        field: "buyer.name".to_owned(),
        problem: "is missing".to_owned(),
    };
    check(
        InvoiceRefusal::Apply(content),
        "422 invalid-fields field=buyer.name [buyer.name]",
    );
}

#[test]
fn calls_that_were_not_answered_by_rules() {
    check(PlatformError::Busy, "503 busy");
    check(PlatformError::Unavailable { what: "disk" }, "503 unavailable");
    check(PlatformError::UnknownOutcome, "503 outcome-unknown");
    let constraint = "people_pkey".to_owned();
    check(PlatformError::Taken { constraint }, "500 internal");
    let source = Arc::new(std::fmt::Error);
    check(PlatformError::Internal(source), "500 internal");
}

#[test]
fn headers_say_who_and_when() {
    let header = |problem: Problem, name: &str| {
        let headers = problem.headers();
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let busy = || Problem::from(PlatformError::Busy);
    assert_eq!(
        header(busy(), "content-type").as_deref(),
        Some("application/problem+json")
    );
    assert_eq!(header(busy(), "retry-after").as_deref(), Some("1"));
    assert_eq!(header(busy(), "www-authenticate"), None);
    let unknown = Problem::from(PlatformError::UnknownOutcome);
    assert_eq!(header(unknown, "retry-after").as_deref(), Some("1"));
    let nobody = Problem::new(Code::Unauthenticated, "who");
    assert_eq!(header(nobody, "www-authenticate").as_deref(), Some("Bearer"));
    let again = busy().replayed(true);
    assert_eq!(header(again, "idempotent-replayed").as_deref(), Some("true"));
}
