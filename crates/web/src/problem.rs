//! Problems as the API answers them: RFC 9457, `application/problem+json`.

mod codes;
mod refusals;

use std::borrow::Cow;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use onescan_domain::codes::{CodeRefusal, CodeTextError};
use onescan_domain::ids::PaymentId;
use onescan_domain::merchants::TerminalTrust;
use onescan_domain::payments::PayError;
use onescan_domain::policy::Reason;
use onescan_platforms::processing::payment::ScanRefusal;
use serde::Serialize;
use utoipa::ToSchema;

pub use codes::{CODES, Code, CodeRow, Repeat};
pub use refusals::{of_categories, of_identity, of_policy};

use crate::observe;

/// Set on answers that repeat an earlier one.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A refused request. Boxed: results that carry it stay small.
#[derive(Debug, Clone)]
pub struct Problem(Box<Content>);

#[derive(Debug, Clone)]
struct Content {
    code: Code,
    detail: Cow<'static, str>,
    reasons: Vec<ProblemReason>,
    field: Option<Cow<'static, str>>,
    payment: Option<PaymentId>,
    retry_after_s: Option<i64>,
    replayed: bool,
}

/// One thing that is wrong: a dimension of a rule, or a field of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemReason {
    /// The field of the request, with points between levels: `amount.currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<Cow<'static, str>>,
    /// What is wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What was judged: a name of GET /v1/dimensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub dimension: Option<&'static str>,
    /// `<=`, `>=`, `in`, `not in` or `holds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub operator: Option<&'static str>,
    /// Absent when the order does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// What could still be spent now, in minor units or payments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
}

impl From<&Reason> for ProblemReason {
    fn from(reason: &Reason) -> Self {
        Self {
            dimension: Some(reason.dimension().name()),
            operator: Some(reason.operator().sign()),
            seen: reason.seen.as_ref().map(|seen| seen.text(reason.dimension())),
            allowed: Some(reason.condition.allowed().text(reason.dimension())),
            left: reason.left,
            ..Self::default()
        }
    }
}

impl ProblemReason {
    pub fn field(field: impl Into<Cow<'static, str>>, detail: impl ToString) -> Self {
        Self {
            field: Some(field.into()),
            detail: Some(detail.to_string()),
            ..Self::default()
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub struct ProblemBody<'a> {
    /// `/problems/<code>`; the page behind it explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/problems/limit-exceeded")]
    pub kind: String,
    pub title: &'a str,
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time, for whoever sent the request.
    pub detail: &'a str,
    /// The request's id, also in the header `X-Request-Id` and in the log.
    pub instance: String,
    #[schema(example = "limit-exceeded")]
    pub code: &'a str,
    #[serde(skip_serializing_if = "<[ProblemReason]>::is_empty")]
    #[schema(value_type = Vec<ProblemReason>, required = false)]
    pub reasons: &'a [ProblemReason],
    /// Whether the same request may succeed when it is sent again unchanged.
    pub retryable: bool,
    /// The one field or header that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<&'a str>,
    /// The payment this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Content {
            code,
            detail: detail.into(),
            reasons: Vec::new(),
            field: None,
            payment: None,
            retry_after_s: None,
            replayed: false,
        }))
    }

    /// Absent, or not the caller's: the two look alike.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// One wrong field.
    pub fn invalid(field: impl Into<Cow<'static, str>>, detail: impl ToString) -> Self {
        Self::invalid_all(vec![ProblemReason::field(field, detail)])
    }

    /// Every wrong field at once; `reasons` is not empty.
    pub fn invalid_all(reasons: Vec<ProblemReason>) -> Self {
        let names: Vec<&str> = reasons.iter().filter_map(|reason| reason.field.as_deref()).collect();
        let detail = format!("cannot be taken: {}", names.join(", "));
        let field = match &reasons[..] {
            [only] => only.field.clone(),
            _ => None,
        };
        let mut problem = Self::new(Code::InvalidFields, detail).reasons(reasons);
        problem.0.field = field;
        problem
    }

    pub fn reasons(mut self, reasons: Vec<ProblemReason>) -> Self {
        self.0.reasons = reasons;
        self
    }

    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    pub fn payment(mut self, payment: PaymentId) -> Self {
        self.0.payment = Some(payment);
        self
    }

    /// Not before `until`; both in milliseconds.
    pub fn retry_at(mut self, until: i64, now: i64) -> Self {
        self.0.retry_after_s = Some(((until - now).max(0) + 999) / 1000);
        self
    }

    pub fn replayed(mut self, replayed: bool) -> Self {
        self.0.replayed = replayed;
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn into_reasons(self) -> Vec<ProblemReason> {
        self.0.reasons
    }

    /// A refused scan as a terminal of this trust may know it. Rows S10, S22.
    pub fn of_scan(refusal: ScanRefusal, trust: TerminalTrust, now: i64) -> Self {
        match refusal {
            ScanRefusal::TerminalLocked { until } => Self::terminal_locked(until, now),
            ScanRefusal::Code(refusal) => Self::of_code(refusal, trust),
        }
    }

    /// A payment that was not taken, as a terminal of this trust may know it.
    pub fn of_pay(error: PayError, trust: TerminalTrust, now: i64) -> Self {
        match error {
            PayError::KeyRevoked => Self::new(Code::Unauthenticated, error.to_string()),
            PayError::TerminalLocked { until } => Self::terminal_locked(until, now),
            PayError::KeyConflict => Self::new(Code::IdempotencyKeyConflict, error.to_string()),
            PayError::OrderConflict { payment } => {
                Self::new(Code::OrderNumberConflict, error.to_string()).payment(payment)
            }
            PayError::Code(refusal) => Self::of_code(refusal, trust),
        }
    }

    /// Which payment used a code is not told: it may be another merchant's.
    pub fn of_code(refusal: CodeRefusal, trust: TerminalTrust) -> Self {
        let code = match (trust, refusal) {
            (TerminalTrust::Limited, _) => {
                return Self::new(Code::CodeInvalid, "the code cannot be used").field("code");
            }
            (TerminalTrust::Full, CodeRefusal::Unknown) => Code::CodeUnknown,
            (TerminalTrust::Full, CodeRefusal::RecordInactive) => Code::RecordInactive,
            (TerminalTrust::Full, CodeRefusal::NotTied) => Code::NotTied,
            (TerminalTrust::Full, CodeRefusal::Used { .. }) => Code::CodeUsed,
            (TerminalTrust::Full, CodeRefusal::Expired) => Code::CodeExpired,
        };
        Self::new(code, refusal.to_string()).field("code")
    }

    fn terminal_locked(until: i64, now: i64) -> Self {
        Self::new(
            Code::TerminalLocked,
            "the terminal is stopped after too many invalid codes",
        )
        .retry_at(until, now)
    }

    fn headers(&self) -> HeaderMap {
        let Content {
            code,
            retry_after_s,
            replayed,
            ..
        } = &*self.0;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match retry_after_s {
            Some(seconds) => drop(headers.insert(RETRY_AFTER, HeaderValue::from(*seconds))),
            None if *code == Code::Busy || *code == Code::OutcomeUnknown => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            None => {}
        }
        if *code == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if *replayed {
            headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        headers
    }
}

impl From<CodeTextError> for Problem {
    fn from(error: CodeTextError) -> Self {
        match error {
            CodeTextError::Length { .. } | CodeTextError::NotDigits { .. } | CodeTextError::CheckDigit => {
                Self::new(Code::CodeMistyped, error.to_string()).field("code")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let headers = self.headers();
        let content = &*self.0;
        let row = content.code.row();
        let body = ProblemBody {
            kind: format!("/problems/{}", row.name),
            title: row.title,
            status: row.status.as_u16(),
            detail: &content.detail,
            instance: observe::request_id(),
            code: row.name,
            reasons: &content.reasons,
            retryable: row.repeat == Repeat::Worthwhile,
            field: content.field.as_deref(),
            payment: content.payment.map(|payment| payment.to_string()),
        };
        (row.status, headers, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests;
