//! Code records and service codes: what is shown once, whom it stands for, and when it may be used.

use std::fmt;

use crate::bucket::Bucket;
use crate::identity::IdentityId;
use crate::ids::{AccountId, CodeId, InstitutionId, MemberId, PaymentId, PersonId, ScenarioId};
use crate::money::Currency;
use crate::policy::Policy;

/// Digits of a service code: two of the key, fifteen that carry meaning, one check digit.
pub const CODE_DIGITS: usize = 18;

/// Who pays: the person, or the institution through the person. Row S04. Source: S \[18\]-\[19\], claim 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeKind {
    User,
    Institution,
}

impl CodeKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Institution => "institution",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::User, Self::Institution]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The stable id of a code record: an encryption of the identity id, or random, as the operator configured. Never printed
/// in a code and never given to a merchant. Row S02. Source: S \[24\], \[45\].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeRecordId(String);

impl CodeRecordId {
    /// `text`: 1 to 200 lower case letters, digits and `_`, made by the codes platform.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CodeRecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom a code record enrols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordHolder {
    Person {
        person: PersonId,
        identity: IdentityId,
    },
    /// `members`: whether every member may show the code, or those assigned one by one. Row S07. Source: S \[57\], \[65\].
    Institution {
        institution: InstitutionId,
        members: MemberAccess,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAccess {
    /// Every active member of the institution and of those below it.
    ThroughInstitution,
    /// Only members tied to the record one by one.
    Assigned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    Active,
    /// Stopped by its holder with one touch; codes made earlier are dead, new ones are refused until it is resumed.
    Paused,
    /// Ended for ever; payments keep naming it.
    Closed,
}

impl RecordState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Closed => "closed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Closed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// The lasting enrolment of a person or an institution in code payment. Rows S02, S07.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    pub id: CodeRecordId,
    pub bucket: Bucket,
    pub holder: RecordHolder,
    /// Who pays when one of its codes is used.
    pub account: AccountId,
    pub currency: Currency,
    /// IANA name; days and months of limits are counted in it.
    pub time_zone: String,
    pub state: RecordState,
    pub created_at: i64,
}

impl CodeKind {
    /// `account` where it is the person's own.
    pub fn own_account(self, account: AccountId) -> Option<AccountId> {
        (self == Self::User).then_some(account)
    }
}

impl CodeRecord {
    pub fn kind(&self) -> CodeKind {
        match self.holder {
            RecordHolder::Person { .. } => CodeKind::User,
            RecordHolder::Institution { .. } => CodeKind::Institution,
        }
    }
}

/// A kind of spending and what is allowed for it. Row S11. Source: S \[72\].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub id: ScenarioId,
    pub record: CodeRecordId,
    pub name: String,
    pub categories: Categories,
    pub policy: Policy,
    pub created_at: i64,
}

/// Merchant categories (ISO 18245, four digits): single codes and ranges; empty means every category.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Categories(Vec<(u16, u16)>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is not a merchant category code (four digits) or a range of two such as 5811-5814")]
pub struct CategoryError {
    pub part: String,
}

impl Categories {
    /// Reads `5411, 5811-5814`; an empty text or `*` stands for every category.
    pub fn parse(text: &str) -> Result<Self, CategoryError> {
        if matches!(text.trim(), "" | "*") {
            return Ok(Self::default());
        }
        let ranges = text.split(',').map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = parse_category(first)
                .zip(parse_category(last))
                .filter(|(first, last)| first <= last);
            range.ok_or_else(|| CategoryError {
                part: part.trim().to_owned(),
            })
        });
        Ok(Self(ranges.collect::<Result<_, _>>()?))
    }

    pub fn contains(&self, category: u16) -> bool {
        self.0.is_empty() || self.0.iter().any(|(first, last)| (*first..=*last).contains(&category))
    }

    /// How many categories are named; 0 stands for all. The narrower scenario wins.
    pub fn breadth(&self) -> u32 {
        if self.0.is_empty() {
            u32::MAX
        } else {
            self.0.iter().map(|(first, last)| u32::from(last - first) + 1).sum()
        }
    }
}

impl fmt::Display for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match first == last {
                true => write!(f, "{comma}{first:04}")?,
                false => write!(f, "{comma}{first:04}-{last:04}")?,
            }
        }
        Ok(())
    }
}

/// A merchant category code: exactly four digits.
pub fn parse_category(text: &str) -> Option<u16> {
    let text = text.trim();
    (text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The scenario that `category` falls into: the one that names the fewest categories, the older one when two name equally
/// many. Row S11. Source: S \[73\].
pub fn scenario_for(scenarios: &[Scenario], category: u16) -> Option<&Scenario> {
    let fitting = scenarios
        .iter()
        .filter(|scenario| scenario.categories.contains(category));
    fitting.min_by_key(|scenario| (scenario.categories.breadth(), scenario.id))
}

/// The eighteen digits that are shown. Debug shows the last four only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CodeText(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeTextError {
    #[error("a code has {CODE_DIGITS} digits, this text has {length} characters")]
    Length { length: usize },
    #[error("a code has only digits, but character {position} is not one")]
    NotDigits { position: usize },
    #[error("the check digit does not match: a digit is mistyped or two are swapped")]
    CheckDigit,
}

impl CodeText {
    /// Reads what a scanner or a person entered. Spaces and hyphens between digits are dropped.
    /// Refuses in this order: `Length`, `NotDigits`, `CheckDigit`.
    pub fn parse(text: &str) -> Result<Self, CodeTextError> {
        let digits: String = text
            .chars()
            .filter(|letter| !matches!(letter, ' ' | '-' | '\u{a0}'))
            .collect();
        let length = digits.chars().count();
        if length != CODE_DIGITS {
            return Err(CodeTextError::Length { length });
        }
        if let Some(position) = digits.chars().position(|letter| !letter.is_ascii_digit()) {
            return Err(CodeTextError::NotDigits { position: position + 1 });
        }
        if damm(digits.bytes()) != 0 {
            Err(CodeTextError::CheckDigit)
        } else {
            Ok(Self(digits))
        }
    }

    /// `prefix`: the key's number, `0..100`; `body`: `0..10^15`.
    pub fn from_parts(prefix: u8, body: u64) -> Self {
        assert!(
            prefix < 100 && body < 1_000_000_000_000_000,
            "the codes platform draws within these bounds"
        );
        let digits = format!("{prefix:02}{body:015}");
        let check = damm(digits.bytes());
        Self(format!("{digits}{check}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn prefix(&self) -> u8 {
        self.0[..2].parse().expect("a code has only digits")
    }

    pub fn body(&self) -> u64 {
        self.0[2..17].parse().expect("a code has only digits")
    }

    pub fn last_four(&self) -> &str {
        &self.0[CODE_DIGITS - 4..]
    }

    /// In groups for reading: `2812 3456 7890 1234 56`.
    pub fn grouped(&self) -> String {
        let groups: Vec<&str> = (0..CODE_DIGITS)
            .step_by(4)
            .map(|at| &self.0[at..(at + 4).min(CODE_DIGITS)])
            .collect();
        groups.join(" ")
    }
}

impl fmt::Debug for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", self.last_four())
    }
}

/// Damm's check digit: finds every single wrong digit and every swap of neighbours. 0 over a text that ends with it.
fn damm(digits: impl Iterator<Item = u8>) -> u8 {
    const TABLE: [[u8; 10]; 10] = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
        [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
        [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
        [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
        [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
        [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
        [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ];
    digits.fold(0, |state, digit| TABLE[usize::from(state)][usize::from(digit - b'0')])
}

/// How long a code may be used. Row S13; the two windows answer trap 4 of the field's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeWindows {
    /// How long the page shows a code before it renews it.
    pub shown_ms: i64,
    /// How much longer a scan in flight is accepted.
    pub grace_ms: i64,
    /// How long after the payment the code still answers an invoice terminal.
    pub invoice_ms: i64,
}

impl Default for CodeWindows {
    fn default() -> Self {
        Self {
            shown_ms: 60_000,
            grace_ms: 15_000,
            invoice_ms: 24 * 3_600_000,
        }
    }
}

/// Where a code stands. Never stored: read from the payment and the invoice that name the code. Row S13. Source: S \[77\].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeStatus {
    Unpaid,
    /// A payment claimed the code and was refused, voided or reversed: it can never be used again.
    Spent {
        payment: PaymentId,
    },
    Paid {
        payment: PaymentId,
    },
    InvoiceIssued {
        payment: PaymentId,
    },
}

/// What the codes platform found out about a code that was scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFacts {
    pub code: CodeId,
    pub record: CodeRecord,
    pub person: PersonId,
    pub member: Option<MemberId>,
    /// Whether the person still belongs to the record: its holder, or an active member who may show it.
    pub tied: bool,
    /// Whether a newer code of the same device took this one's place.
    pub replaced: bool,
    pub created_at: i64,
    /// End of the pay window, grace included; half-open.
    pub pay_until: i64,
}

/// Why a code cannot be paid with, in the order in which it is checked. Row S10. Source: S \[73\], \[76\]-\[77\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    #[error("there is no such code")]
    Unknown,
    #[error("the person's code payment is paused or closed")]
    RecordInactive,
    #[error("the person no longer belongs to this code's holder")]
    NotTied,
    #[error("the code was used already")]
    Used { payment: PaymentId },
    #[error("the code is no longer valid")]
    Expired,
}

impl CodeFacts {
    /// Checks the code at `now` in the order of [`CodeRefusal`]'s variants: record, user, status, period.
    pub fn verify(&self, status: CodeStatus, now: i64) -> Result<(), CodeRefusal> {
        self.verify_holder()?;
        match status {
            CodeStatus::Unpaid => {}
            CodeStatus::Spent { payment } | CodeStatus::Paid { payment } | CodeStatus::InvoiceIssued { payment } => {
                return Err(CodeRefusal::Used { payment });
            }
        }
        if now >= self.pay_until || self.replaced {
            Err(CodeRefusal::Expired)
        } else {
            Ok(())
        }
    }

    /// The first half of [`Self::verify`]: record and user only, as the invoice terminal's second scan needs it.
    pub fn verify_holder(&self) -> Result<(), CodeRefusal> {
        match self.record.state {
            RecordState::Active => {}
            RecordState::Paused | RecordState::Closed => return Err(CodeRefusal::RecordInactive),
        }
        if self.tied { Ok(()) } else { Err(CodeRefusal::NotTied) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_carries_prefix_body_and_check_digit() {
        let code = CodeText::from_parts(28, 123_456_789_012_345);
        assert_eq!(
            (code.prefix(), code.body(), code.as_str().len()),
            (28, 123_456_789_012_345, 18)
        );
        assert_eq!(CodeText::parse(&code.grouped()), Ok(code.clone()));
        assert_eq!(format!("{code:?}"), format!("…{}", code.last_four()));
    }

    #[test]
    fn every_wrong_digit_and_every_swap_of_neighbours_is_found() {
        let code = CodeText::from_parts(28, 90_712_345_678_901);
        let digits = code.as_str().as_bytes();
        for at in 0..CODE_DIGITS {
            for wrong in b'0'..=b'9' {
                let mut typed = digits.to_vec();
                typed[at] = wrong;
                let read = CodeText::parse(std::str::from_utf8(&typed).unwrap());
                assert_eq!(read.is_ok(), wrong == digits[at], "digit {at} as {}", char::from(wrong));
            }
            if at > 0 && digits[at] != digits[at - 1] {
                let mut typed = digits.to_vec();
                typed.swap(at, at - 1);
                assert_eq!(
                    CodeText::parse(std::str::from_utf8(&typed).unwrap()),
                    Err(CodeTextError::CheckDigit)
                );
            }
        }
    }

    #[test]
    fn refused_texts_say_why() {
        assert_eq!(CodeText::parse("123"), Err(CodeTextError::Length { length: 3 }));
        assert_eq!(
            CodeText::parse("28123456789012345x"),
            Err(CodeTextError::NotDigits { position: 18 })
        );
        assert_eq!(
            CodeText::parse("２８１２３４５６７８９０１２３４５６"),
            Err(CodeTextError::NotDigits { position: 1 })
        );
    }

    #[test]
    fn categories_read_codes_and_ranges() {
        let food = Categories::parse("5411, 5811-5814").unwrap();
        assert_eq!(food.to_string(), "5411, 5811-5814");
        assert!(food.contains(5812) && food.contains(5411) && !food.contains(5815));
        assert!(Categories::parse("").unwrap().contains(7995));
        for text in ["54", "5814-5811", "5411;5812", "54a1", "5411,"] {
            assert!(Categories::parse(text).is_err(), "{text}");
        }
    }
}
