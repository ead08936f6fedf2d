//! Every refusal of the use cases as a problem. No `_`: a new variant asks to be mapped here.

use onescan_domain::codes::CategoryError;
use onescan_domain::identity::IdentityError;
use onescan_domain::payments::{ChangeRefusal, PaymentRefusal};
use onescan_domain::policy::PolicyError;
use onescan_platforms::access::{AccessRefusal, PasswordRefusal};
use onescan_platforms::codes::CreateRefusal;
use onescan_platforms::error::PlatformError;
use onescan_platforms::institutions::{ImportProblem, InstitutionRefusal};
use onescan_platforms::invoicing::ReportRefusal;
use onescan_platforms::merchants::MerchantRefusal;
use onescan_platforms::payments::MoveRefusal;
use onescan_platforms::people::PersonRefusal;
use onescan_platforms::processing::delivery::InvoiceRefusal;
use onescan_platforms::processing::issuing::ApplyRefusal;
use onescan_platforms::profiles::ChooseRefusal;
use onescan_platforms::ride_codes::{EnrolRefusal, GrantRefusal, IssueRefusal, UploadRefusal};
use onescan_symbols::SymbolError;

use super::{Code, Problem, ProblemReason};

impl From<PlatformError> for Problem {
    /// Logs what is a fault of the server: this is where it is handled.
    fn from(error: PlatformError) -> Self {
        match &error {
            PlatformError::Busy => Self::new(Code::Busy, error.to_string()),
            PlatformError::Unavailable { what } => {
                tracing::warn!(what, "a part is not available");
                Self::new(Code::Unavailable, error.to_string())
            }
            PlatformError::UnknownOutcome => Self::new(
                Code::OutcomeUnknown,
                "it may or may not have been done: repeat the request with the same Idempotency-Key",
            ),
            PlatformError::Taken { constraint } => {
                tracing::error!(constraint, "a uniqueness rule that no use case expects");
                Self::new(Code::Internal, "a fault of the server; nothing was done")
            }
            PlatformError::Internal(source) => {
                tracing::error!(error = &**source as &dyn std::error::Error, "a request failed");
                Self::new(Code::Internal, "a fault of the server")
            }
        }
    }
}

impl From<SymbolError> for Problem {
    fn from(error: SymbolError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a code could not be rendered");
        Self::new(Code::Internal, "the code could not be rendered")
    }
}

impl Problem {
    pub fn of_access(refusal: AccessRefusal, now: i64) -> Self {
        match refusal {
            AccessRefusal::Wrong => Self::new(Code::SignInFailed, refusal.to_string()),
            AccessRefusal::TooMany { until } => {
                Self::new(Code::TooManyAttempts, refusal.to_string()).retry_at(until, now)
            }
            AccessRefusal::Credential => Self::new(Code::Unauthenticated, refusal.to_string()),
        }
    }
}

impl From<&PaymentRefusal> for Problem {
    fn from(refusal: &PaymentRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            PaymentRefusal::CurrencyMismatch { payer, asked } => {
                Self::new(Code::CurrencyMismatch, detail).reasons(vec![ProblemReason {
                    field: Some("amount.currency".into()),
                    seen: Some(asked.to_string()),
                    allowed: Some(payer.to_string()),
                    ..ProblemReason::default()
                }])
            }
            PaymentRefusal::ScenarioNotPermitted { category } => {
                Self::new(Code::ScenarioNotPermitted, detail).reasons(vec![ProblemReason {
                    dimension: Some("category"),
                    seen: Some(format!("{category:04}")),
                    ..ProblemReason::default()
                }])
            }
            PaymentRefusal::LimitExceeded { trace } => {
                let failed = trace.iter().filter(|reason| reason.failed());
                Self::new(Code::LimitExceeded, detail).reasons(failed.map(ProblemReason::from).collect())
            }
            PaymentRefusal::NoConsent { cap } => {
                let allowed = cap.map(|cap| cap.minor.to_string());
                Self::new(Code::NoConsent, detail).reasons(vec![ProblemReason {
                    dimension: Some("consent"),
                    allowed,
                    ..ProblemReason::default()
                }])
            }
            PaymentRefusal::InsufficientFunds => Self::new(Code::InsufficientFunds, detail),
        }
    }
}

impl From<ChangeRefusal> for Problem {
    fn from(refusal: ChangeRefusal) -> Self {
        let detail = refusal_text(&refusal);
        match refusal {
            ChangeRefusal::KeyConflict => Self::new(Code::IdempotencyKeyConflict, detail),
            ChangeRefusal::Unknown => Self::not_found("payment"),
            ChangeRefusal::NumberConflict => Self::new(Code::RefundNumberConflict, detail).field("number"),
            ChangeRefusal::State { .. } => Self::new(Code::WrongState, detail),
            ChangeRefusal::TooMuch { left } => {
                let left = Some(left.minor);
                let reason = ProblemReason {
                    field: Some("amount".into()),
                    left,
                    ..ProblemReason::default()
                };
                Self::new(Code::AmountTooLarge, detail).reasons(vec![reason])
            }
            ChangeRefusal::CurrencyMismatch { payment, asked } => {
                let reason = ProblemReason {
                    field: Some("amount.currency".into()),
                    seen: Some(asked.to_string()),
                    allowed: Some(payment.to_string()),
                    ..ProblemReason::default()
                };
                Self::new(Code::CurrencyMismatch, detail).reasons(vec![reason])
            }
        }
    }
}

/// Amounts are told as numbers in the reasons, not in the text.
fn refusal_text(refusal: &ChangeRefusal) -> String {
    match refusal {
        ChangeRefusal::TooMuch { left } => format!("only {} {} can still be moved", left.minor, left.currency),
        ChangeRefusal::KeyConflict
        | ChangeRefusal::Unknown
        | ChangeRefusal::NumberConflict
        | ChangeRefusal::State { .. }
        | ChangeRefusal::CurrencyMismatch { .. } => refusal.to_string(),
    }
}

impl From<MoveRefusal> for Problem {
    fn from(refusal: MoveRefusal) -> Self {
        match refusal {
            MoveRefusal::KeyConflict => Self::new(Code::IdempotencyKeyConflict, refusal.to_string()),
            MoveRefusal::Unknown | MoveRefusal::NotTogether => Self::not_found("account"),
            MoveRefusal::CurrencyMismatch { account, asked } => {
                let reason = ProblemReason {
                    field: Some("amount.currency".into()),
                    seen: Some(asked.to_string()),
                    allowed: Some(account.to_string()),
                    ..ProblemReason::default()
                };
                Self::new(Code::CurrencyMismatch, refusal.to_string()).reasons(vec![reason])
            }
            MoveRefusal::InsufficientFunds { available } => {
                let reason = ProblemReason {
                    field: Some("amount".into()),
                    left: Some(available.minor),
                    ..ProblemReason::default()
                };
                Self::new(Code::InsufficientFunds, "the account holds too little").reasons(vec![reason])
            }
        }
    }
}

impl From<CreateRefusal> for Problem {
    fn from(refusal: CreateRefusal) -> Self {
        let code = match refusal {
            CreateRefusal::NoRecord => Code::NotEnabled,
            CreateRefusal::RecordInactive => Code::RecordInactive,
            CreateRefusal::NotTied => Code::NotTied,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<ChooseRefusal> for Problem {
    fn from(refusal: ChooseRefusal) -> Self {
        match refusal {
            ChooseRefusal::Unknown => Self::not_found("question"),
            ChooseRefusal::NotACandidate => Self::invalid("profile", refusal),
            ChooseRefusal::Settled => Self::new(Code::ChoiceSettled, refusal.to_string()),
        }
    }
}

impl From<InvoiceRefusal> for Problem {
    fn from(refusal: InvoiceRefusal) -> Self {
        match &refusal {
            InvoiceRefusal::NotPaid { .. } => Self::new(Code::WrongState, refusal.to_string()),
            InvoiceRefusal::Issued(ReportRefusal::Issued(invoice)) => {
                Self::new(Code::InvoiceIssued, refusal.to_string()).payment(invoice.payment)
            }
            InvoiceRefusal::Apply(refusal) => of_application(refusal),
        }
    }
}

fn of_application(refusal: &ApplyRefusal) -> Problem {
    match refusal {
        ApplyRefusal::NotPaid { .. } | ApplyRefusal::Billed | ApplyRefusal::NothingLeft => {
            Problem::new(Code::WrongState, refusal.to_string())
        }
        ApplyRefusal::NoSetup => Problem::new(Code::NoTaxSetup, refusal.to_string()),
        ApplyRefusal::Asking { .. } | ApplyRefusal::NoBuyer => {
            Problem::new(Code::NoInvoiceDetails, refusal.to_string())
        }
        ApplyRefusal::Lines(error) => Problem::invalid("lines", error),
        ApplyRefusal::Content { field, problem } => Problem::invalid(field.clone(), problem),
    }
}

impl From<PasswordRefusal> for Problem {
    fn from(refusal: PasswordRefusal) -> Self {
        match refusal {
            PasswordRefusal::TooShort
            | PasswordRefusal::TooLong
            | PasswordRefusal::SameAsLogin
            | PasswordRefusal::Common => Self::invalid("password", refusal),
        }
    }
}

impl From<PersonRefusal> for Problem {
    fn from(refusal: PersonRefusal) -> Self {
        match refusal {
            PersonRefusal::Text { field, error } => Self::invalid(field, error),
            PersonRefusal::LoginShape => Self::invalid("login", "use 3 to 100 letters, digits and . _ - @ +"),
            PersonRefusal::Language => Self::invalid("language", "use zh or en"),
            PersonRefusal::TimeZone => Self::invalid("time_zone", "not a known IANA name such as Asia/Shanghai"),
            PersonRefusal::Password(refusal) => refusal.into(),
            PersonRefusal::LoginTaken => Self::new(Code::Taken, refusal.to_string()).field("login"),
            PersonRefusal::IdentityTaken => Self::new(Code::Taken, refusal.to_string()).field("identity"),
        }
    }
}

impl From<InstitutionRefusal> for Problem {
    fn from(refusal: InstitutionRefusal) -> Self {
        let taken = |field| Self::new(Code::Taken, refusal.to_string()).field(field);
        match &refusal {
            InstitutionRefusal::Text { field, error } => Self::invalid(*field, error),
            InstitutionRefusal::TimeZone => Self::invalid("time_zone", "not a known IANA name such as Asia/Shanghai"),
            InstitutionRefusal::Unknown => Self::not_found("institution"),
            InstitutionRefusal::UnknownParent => Self::invalid("parent", "there is no such institution"),
            InstitutionRefusal::TooDeep => Self::invalid("parent", &refusal),
            InstitutionRefusal::UnknownDepartment => {
                Self::invalid("department", "there is no such department in this institution")
            }
            InstitutionRefusal::DepartmentTaken => taken("name"),
            InstitutionRefusal::MemberTaken => taken("person"),
            InstitutionRefusal::EmployeeNumberTaken => taken("employee_number"),
            InstitutionRefusal::UnknownMember => Self::not_found("member"),
            InstitutionRefusal::LastAdministrator => Self::new(Code::LastAdministrator, refusal.to_string()),
        }
    }
}

impl From<ImportProblem> for Problem {
    /// For a file that cannot be read at all; problems of single lines stand in the report.
    fn from(problem: ImportProblem) -> Self {
        match problem {
            ImportProblem::NotUtf8
            | ImportProblem::Empty
            | ImportProblem::FieldCount { .. }
            | ImportProblem::Unreadable { .. } => Self::new(Code::Unreadable, problem.to_string()),
            ImportProblem::MissingColumns { .. } => Self::invalid("header", problem),
            ImportProblem::IdentityKind => Self::invalid("identity_kind", problem),
            ImportProblem::IdentityNumber(_) => Self::invalid("identity_number", problem),
            ImportProblem::Role => Self::invalid("role", problem),
            ImportProblem::Person(refusal) => refusal.into(),
            ImportProblem::Member(refusal) => refusal.into(),
        }
    }
}

impl From<MerchantRefusal> for Problem {
    fn from(refusal: MerchantRefusal) -> Self {
        match refusal {
            MerchantRefusal::Text { field, error } => Self::invalid(field, error),
            MerchantRefusal::Category => Self::invalid("category", "use the four digits of ISO 18245, such as 5812"),
            MerchantRefusal::Unknown => Self::not_found("merchant"),
            MerchantRefusal::UnknownStore => Self::invalid("store", "there is no such store of this merchant"),
        }
    }
}

impl From<EnrolRefusal> for Problem {
    fn from(refusal: EnrolRefusal) -> Self {
        match refusal {
            EnrolRefusal::Name(error) => Self::invalid("name", error),
            EnrolRefusal::Key => Self::invalid("public_key", "not a public key of this algorithm"),
            EnrolRefusal::KeyTaken => Self::new(Code::Taken, refusal.to_string()).field("public_key"),
            EnrolRefusal::TooMany { .. } => Self::new(Code::WrongState, refusal.to_string()),
        }
    }
}

impl From<IssueRefusal> for Problem {
    fn from(refusal: IssueRefusal) -> Self {
        match refusal {
            IssueRefusal::Unknown => Self::not_found("device"),
            IssueRefusal::Revoked => Self::new(Code::WrongState, "the device was revoked: enrol it with a new key"),
            IssueRefusal::Grant(GrantRefusal::Arrears) => Self::new(Code::InArrears, refusal.to_string()),
        }
    }
}

impl From<UploadRefusal> for Problem {
    fn from(refusal: UploadRefusal) -> Self {
        match refusal {
            UploadRefusal::UnknownJournal => Self::not_found("journal of this gate"),
        }
    }
}

/// A policy is sent as a list of rules, one a line.
pub fn of_policy(error: &PolicyError) -> ProblemReason {
    ProblemReason::field(format!("rules[{}]", error.line().saturating_sub(1)), error)
}

pub fn of_categories(error: &CategoryError) -> ProblemReason {
    ProblemReason::field("categories", error)
}

pub fn of_identity(error: &IdentityError) -> ProblemReason {
    ProblemReason::field("identity.number", error)
}
