//! Why a scanned or typed code does not do, in words for whoever holds the scanner. Rows S10, S22.

use onescan_domain::codes::{CodeRefusal, CodeTextError};
use onescan_domain::merchants::TerminalTrust;
use onescan_domain::payments::PayError;
use onescan_platforms::access::TerminalActor;

use super::page::Page;

/// What the terminal reads, and what it or the buyer can do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    pub title: String,
    pub advice: String,
}

impl Reminder {
    pub fn of(page: &Page, key: &str) -> Self {
        Self {
            title: page.t(key),
            advice: page.t(&format!("{key}-advice")),
        }
    }
}

pub fn mistyped(page: &Page, error: &CodeTextError) -> Reminder {
    match error {
        CodeTextError::Length { .. } => Reminder::of(page, "code-length"),
        CodeTextError::NotDigits { .. } => Reminder::of(page, "code-not-digits"),
        CodeTextError::CheckDigit => Reminder::of(page, "code-check-digit"),
    }
}

pub fn locked(page: &Page, until: i64) -> Reminder {
    Reminder {
        title: page.t("terminal-locked"),
        advice: page.with("terminal-locked-advice", "clock", &page.clock(&until)),
    }
}

/// Each failure has its own reminder; a terminal that is not fully trusted cannot tell unknown, used and expired apart.
pub fn code_refused(page: &Page, actor: &TerminalActor, refusal: CodeRefusal) -> Reminder {
    let alike = matches!(
        refusal,
        CodeRefusal::Unknown | CodeRefusal::Used { .. } | CodeRefusal::Expired
    );
    if alike && actor.trust == TerminalTrust::Limited {
        return Reminder::of(page, "code-no-good");
    }
    Reminder::of(
        page,
        match refusal {
            CodeRefusal::Unknown => "code-unknown",
            CodeRefusal::RecordInactive => "code-record-inactive",
            CodeRefusal::NotTied => "code-holder-left",
            CodeRefusal::Used { .. } => "code-used",
            CodeRefusal::Expired => "code-expired",
        },
    )
}

pub fn not_paid(page: &Page, actor: &TerminalActor, error: &PayError) -> Reminder {
    match error {
        PayError::KeyRevoked => Reminder::of(page, "terminal-revoked"),
        PayError::TerminalLocked { until } => locked(page, *until),
        PayError::KeyConflict => Reminder::of(page, "form-sent-before"),
        PayError::OrderConflict { .. } => Reminder::of(page, "order-number-taken"),
        PayError::Code(refusal) => code_refused(page, actor, *refusal),
    }
}
