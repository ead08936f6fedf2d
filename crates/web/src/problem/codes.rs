//! Every problem the API can answer with, once: code, status, title, whether to repeat, and what it means.

use axum::http::StatusCode;

/// What kind of problem it is. One row of [`CODES`] each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    Unreadable,
    InvalidHeader,
    IdempotencyKeyMissing,
    Unauthenticated,
    SignInFailed,
    WrongRole,
    NotAllowed,
    RegistrationClosed,
    NotFound,
    UnknownPath,
    CodeUnknown,
    MethodNotAllowed,
    IdempotencyKeyConflict,
    OrderNumberConflict,
    RefundNumberConflict,
    RideNumberConflict,
    CodeUsed,
    CodeInvalid,
    RecordInactive,
    NotTied,
    NotEnabled,
    WrongState,
    Taken,
    LastAdministrator,
    InvoiceIssued,
    NoTaxSetup,
    NoInvoiceDetails,
    ChoiceSettled,
    CodeExpired,
    TooLarge,
    UnsupportedMediaType,
    InvalidFields,
    CodeMistyped,
    CurrencyMismatch,
    ScenarioNotPermitted,
    LimitExceeded,
    NoConsent,
    InsufficientFunds,
    InArrears,
    AmountTooLarge,
    TooManyAttempts,
    TerminalLocked,
    Internal,
    Busy,
    Unavailable,
    OutcomeUnknown,
    TimedOut,
}

/// Whether the same request may succeed when it is sent again unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    Useless,
    Worthwhile,
}

#[derive(Debug, Clone, Copy)]
pub struct CodeRow {
    pub code: Code,
    /// Stands in `code` and at the end of `type`; never changes once it is in use.
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    pub repeat: Repeat,
    /// What it means and what to do.
    pub about: &'static str,
}

const fn row(code: Code, name: &'static str, status: StatusCode, title: &'static str, about: &'static str) -> CodeRow {
    CodeRow {
        code,
        name,
        status,
        title,
        repeat: Repeat::Useless,
        about,
    }
}

const fn again(
    code: Code,
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    about: &'static str,
) -> CodeRow {
    CodeRow {
        code,
        name,
        status,
        title,
        repeat: Repeat::Worthwhile,
        about,
    }
}

/// Every problem there is, by status.
#[rustfmt::skip]
pub const CODES: &[CodeRow] = &[
    row(Code::Unreadable, "unreadable", StatusCode::BAD_REQUEST, "The request cannot be read",
        "The body is not JSON of the documented shape, or the query is not. `detail` names line and column, `field` the place."),
    row(Code::InvalidHeader, "invalid-header", StatusCode::BAD_REQUEST, "A header cannot be used",
        "`field` names the header. `Idempotency-Key` has 1 to 255 visible ASCII characters."),
    row(Code::IdempotencyKeyMissing, "idempotency-key-missing", StatusCode::BAD_REQUEST, "The header Idempotency-Key is missing",
        "Requests that move money carry a key of your own, new for each intent and the same for each repeat of it."),
    row(Code::Unauthenticated, "unauthenticated", StatusCode::UNAUTHORIZED, "No valid credential",
        "Send `Authorization: Bearer …` with a key or a session token that is neither revoked nor over."),
    row(Code::SignInFailed, "sign-in-failed", StatusCode::UNAUTHORIZED, "The sign-in name or the password is wrong",
        "Which of the two is not told."),
    row(Code::WrongRole, "wrong-role", StatusCode::FORBIDDEN, "This credential is for something else",
        "For example an invoice terminal's key where a cashier's is needed."),
    row(Code::NotAllowed, "not-allowed", StatusCode::FORBIDDEN, "Known, but not allowed",
        "The credential is of the right kind and lacks this right."),
    row(Code::RegistrationClosed, "registration-closed", StatusCode::FORBIDDEN, "Registration is not open here",
        "The operator registers people on this server."),
    row(Code::NotFound, "not-found", StatusCode::NOT_FOUND, "There is no such thing",
        "It does not exist, or it is not yours: the two are not told apart."),
    row(Code::UnknownPath, "unknown-path", StatusCode::NOT_FOUND, "There is no such path",
        "All paths are listed in /openapi.json."),
    row(Code::CodeUnknown, "code-unknown", StatusCode::NOT_FOUND, "There is no such code",
        "Nothing is known about these digits. Many in a row stop the terminal for a while."),
    row(Code::MethodNotAllowed, "method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This path has no such method",
        "The header `Allow` lists the methods it has."),
    row(Code::IdempotencyKeyConflict, "idempotency-key-conflict", StatusCode::CONFLICT, "The idempotency key was used for another request",
        "The same key came with other content. Use a new key for a new intent."),
    row(Code::OrderNumberConflict, "order-number-conflict", StatusCode::CONFLICT, "The order number names another payment",
        "`payment` is the payment it names. Ask for it before you choose another number."),
    row(Code::RefundNumberConflict, "refund-number-conflict", StatusCode::CONFLICT, "The refund number names another refund",
        "The number was used for another amount of this payment."),
    row(Code::RideNumberConflict, "ride-number-conflict", StatusCode::CONFLICT, "The number names another ride",
        "A ride of this number was told with other content. The first one stands; the later one is kept at /v1/merchants/…/ride-conflicts."),
    row(Code::CodeUsed, "code-used", StatusCode::CONFLICT, "The code was used already",
        "One code is one payment. Ask for a new code."),
    row(Code::CodeInvalid, "code-invalid", StatusCode::CONFLICT, "The code cannot be used",
        "Terminals of limited trust are not told why. Ask for a new code."),
    row(Code::RecordInactive, "record-inactive", StatusCode::CONFLICT, "Code payment is paused or closed",
        "The holder stopped it; a paused one can be resumed by them."),
    row(Code::NotTied, "not-tied", StatusCode::CONFLICT, "The person may not use this code",
        "The person does not, or no longer, belong to the code's holder."),
    row(Code::NotEnabled, "not-enabled", StatusCode::CONFLICT, "Code payment is not enabled",
        "Make a code record first: POST /v1/code-records, or the institution's."),
    row(Code::WrongState, "wrong-state", StatusCode::CONFLICT, "Its state does not allow this",
        "`detail` names the state it is in."),
    row(Code::Taken, "taken", StatusCode::CONFLICT, "The value is taken",
        "`field` names the value that must be unique."),
    row(Code::LastAdministrator, "last-administrator", StatusCode::CONFLICT, "An institution keeps one administrator",
        "Make another member administrator first."),
    row(Code::InvoiceIssued, "invoice-issued", StatusCode::CONFLICT, "The payment has an invoice already",
        "Another invoice number is recorded for it."),
    row(Code::NoTaxSetup, "no-tax-setup", StatusCode::CONFLICT, "The merchant's invoices are not issued here",
        "Enter the merchant's tax set-up: PUT /v1/merchants/{merchant}/tax-setup."),
    row(Code::NoInvoiceDetails, "no-invoice-details", StatusCode::CONFLICT, "The buyer's details are not there",
        "The buyer entered none, or is still choosing among several; `detail` says until when."),
    row(Code::ChoiceSettled, "choice-settled", StatusCode::CONFLICT, "The choice is made",
        "The time to choose is over, or another profile was chosen."),
    row(Code::CodeExpired, "code-expired", StatusCode::GONE, "The code is no longer valid",
        "Its time is over, or a newer one took its place. Ask for a new code."),
    row(Code::TooLarge, "too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large",
        "`detail` names the limit in bytes."),
    row(Code::UnsupportedMediaType, "unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body has the wrong type",
        "`detail` names the Content-Type to send."),
    row(Code::InvalidFields, "invalid-fields", StatusCode::UNPROCESSABLE_ENTITY, "Some fields cannot be taken",
        "`reasons` lists each wrong field with what is wrong."),
    row(Code::CodeMistyped, "code-mistyped", StatusCode::UNPROCESSABLE_ENTITY, "These are not the digits of a code",
        "A code has 18 digits; the last one checks the others. Read or type it again."),
    row(Code::CurrencyMismatch, "currency-mismatch", StatusCode::UNPROCESSABLE_ENTITY, "The currencies differ",
        "Amounts of two currencies do not mix. `reasons` tells which is asked and which is kept."),
    row(Code::ScenarioNotPermitted, "scenario-not-permitted", StatusCode::UNPROCESSABLE_ENTITY, "No scenario permits this merchant's category",
        "The person can pay with another code."),
    row(Code::LimitExceeded, "limit-exceeded", StatusCode::UNPROCESSABLE_ENTITY, "The payment breaks a rule of the payer",
        "`reasons` lists every failed dimension with what was seen, what is allowed, and what is left. The person can pay with another code."),
    row(Code::NoConsent, "no-consent", StatusCode::UNPROCESSABLE_ENTITY, "The person has not agreed to pay this much",
        "Without a standing consent, or above its limit, a ride that the institution does not pay is owed and has to be paid by hand."),
    row(Code::InsufficientFunds, "insufficient-funds", StatusCode::UNPROCESSABLE_ENTITY, "The account holds too little",
        "The person can pay with another code; an institution's administrator can move money to the account."),
    row(Code::InArrears, "in-arrears", StatusCode::UNPROCESSABLE_ENTITY, "Rides are unpaid",
        "No ride code until they are settled; then at once."),
    row(Code::AmountTooLarge, "amount-too-large", StatusCode::UNPROCESSABLE_ENTITY, "Only less can be moved",
        "`reasons` tells what is left."),
    again(Code::TooManyAttempts, "too-many-attempts", StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords",
        "Wait as long as `Retry-After` says."),
    again(Code::TerminalLocked, "terminal-locked", StatusCode::TOO_MANY_REQUESTS, "The terminal is stopped for a while",
        "It sent too many invalid codes. Wait as long as `Retry-After` says."),
    again(Code::Internal, "internal", StatusCode::INTERNAL_SERVER_ERROR, "A fault of the server",
        "It is logged under the request id in `instance`."),
    again(Code::Busy, "busy", StatusCode::SERVICE_UNAVAILABLE, "Not done: too much is waiting",
        "Nothing was done. Send the same request again after `Retry-After` seconds."),
    again(Code::Unavailable, "unavailable", StatusCode::SERVICE_UNAVAILABLE, "Not done: a part is not available",
        "Nothing was done. Send the same request again later."),
    again(Code::OutcomeUnknown, "outcome-unknown", StatusCode::SERVICE_UNAVAILABLE, "The outcome is not known yet",
        "It may or may not have been done. Repeat the request with the same Idempotency-Key: it answers with what became of it."),
    again(Code::TimedOut, "timed-out", StatusCode::SERVICE_UNAVAILABLE, "The answer took too long",
        "Nothing was changed by this reading request. Send it again later."),
];

impl Code {
    pub fn row(self) -> &'static CodeRow {
        CODES
            .iter()
            .find(|row| row.code == self)
            .expect("every problem code has a row")
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn status(self) -> StatusCode {
        self.row().status
    }
}
