//! Who pays for a ride: the institution's funding rule tries accounts in order; what none of them pays falls to the person.
//!
//! ```text
//! from dedicated
//! from institution
//!   share 80
//!   cap 3000
//!   rest person
//!   department in Sales
//! from ins_01j00000000000000000000000
//! ```
//!
//! `from institution`, `from dedicated`, or `from` and the id of a sub-institution. Indented below: `share` in percent of the
//! fare, `cap` in minor units per ride, `rest person` or `rest none`, and conditions as in a policy. Without `rest person` an
//! account pays the whole fare or nothing. Pure; rows R07, R08. Source: R claims 6, 7.

use std::fmt;

use crate::ids::{AccountId, InstitutionId};
use crate::money::Money;
use crate::policy::{Decision, Policy, PolicyError, PolicyInput};

/// Where the money comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FundingSource {
    /// The member's own account that the institution opened and fills.
    Dedicated,
    Institution,
    SubInstitution(InstitutionId),
}

/// What becomes of the part of the fare that the account does not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// There may be none: the account pays all or nothing.
    Nobody,
    Person,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub source: FundingSource,
    /// Percent of the fare, 1 to 100.
    pub share: u8,
    /// Most it pays for one ride, in minor units, at least 1.
    pub cap_minor: Option<i64>,
    pub rest: Rest,
    pub when: Policy,
}

/// Candidates in the order in which they are tried; the first that can pay does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FundingRule {
    pub candidates: Vec<Candidate>,
}

/// Most candidates of one rule.
pub const CANDIDATES_MAX: usize = 20;

/// Why a text is not a funding rule. Lines and columns start at 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FundingError {
    #[error("line {line}: begin with `from institution`, `from dedicated` or `from` and a sub-institution's id")]
    NoSource { line: usize },
    #[error("line {line}: {part:?} is not a source; known are institution, dedicated and ids such as ins_01j…")]
    Source { line: usize, part: String },
    #[error("line {line}: {part:?} is not {wanted}")]
    Value {
        line: usize,
        part: String,
        wanted: &'static str,
    },
    #[error("line {line}: this source has `{word}` already")]
    Twice { line: usize, word: &'static str },
    #[error("line {line}: a rule has at most {CANDIDATES_MAX} sources")]
    TooLong { line: usize },
    #[error(transparent)]
    Condition(#[from] PolicyError),
}

impl FundingRule {
    pub fn parse(text: &str) -> Result<Self, FundingError> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line)) {
            let words = line.trim();
            if let Some(source) = words.strip_prefix("from ") {
                if blocks.len() == CANDIDATES_MAX {
                    return Err(FundingError::TooLong { line: number });
                }
                blocks.push(Block::new(parse_source(source.trim(), number)?));
            } else if !words.is_empty() {
                let block = blocks.last_mut().ok_or(FundingError::NoSource { line: number })?;
                block.take(number, line)?;
            }
        }
        let candidates = blocks.into_iter().map(Block::finish).collect::<Result<_, _>>()?;
        Ok(Self { candidates })
    }
}

/// A candidate whose lines are being read.
struct Block<'t> {
    source: FundingSource,
    share: Option<u8>,
    cap_minor: Option<i64>,
    rest: Option<Rest>,
    conditions: Vec<(usize, &'t str)>,
}

impl<'t> Block<'t> {
    fn new(source: FundingSource) -> Self {
        Self {
            source,
            share: None,
            cap_minor: None,
            rest: None,
            conditions: Vec::new(),
        }
    }

    fn take(&mut self, line: usize, text: &'t str) -> Result<(), FundingError> {
        let (word, value) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let value = value.trim();
        let wrong = |wanted| FundingError::Value {
            line,
            part: value.to_owned(),
            wanted,
        };
        let number = value.parse::<i64>().ok();
        match word {
            // `share <= 80` is a condition of the policy engine; `share 80` says what is paid.
            "share" if !value.starts_with(['<', '>']) => {
                let percent = number.and_then(|number| u8::try_from(number).ok());
                let percent = percent.filter(|percent| (1..=100).contains(percent));
                let percent = percent.ok_or_else(|| wrong("a whole number of percent from 1 to 100"))?;
                once(&mut self.share, percent, line, "share")
            }
            "cap" => {
                let cap = number.filter(|number| *number >= 1);
                once(
                    &mut self.cap_minor,
                    cap.ok_or_else(|| wrong("a whole number of minor units, at least 1"))?,
                    line,
                    "cap",
                )
            }
            "rest" => {
                let rest = [(Rest::Person, "person"), (Rest::Nobody, "none")]
                    .into_iter()
                    .find(|(_, name)| *name == value);
                let (rest, _) = rest.ok_or_else(|| wrong("`person` or `none`"))?;
                once(&mut self.rest, rest, line, "rest")
            }
            _ => {
                self.conditions.push((line, text));
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Candidate, FundingError> {
        Ok(Candidate {
            source: self.source,
            share: self.share.unwrap_or(100),
            cap_minor: self.cap_minor,
            rest: self.rest.unwrap_or(Rest::Nobody),
            when: Policy::parse_lines(self.conditions)?,
        })
    }
}

fn once<T>(place: &mut Option<T>, value: T, line: usize, word: &'static str) -> Result<(), FundingError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(FundingError::Twice { line, word }),
    }
}

fn parse_source(text: &str, line: usize) -> Result<FundingSource, FundingError> {
    match text {
        "institution" => Ok(FundingSource::Institution),
        "dedicated" => Ok(FundingSource::Dedicated),
        id => id
            .parse()
            .map(FundingSource::SubInstitution)
            .map_err(|_| FundingError::Source {
                line,
                part: id.to_owned(),
            }),
    }
}

impl fmt::Display for FundingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dedicated => f.write_str("dedicated"),
            Self::Institution => f.write_str("institution"),
            Self::SubInstitution(id) => write!(f, "{id}"),
        }
    }
}

impl fmt::Display for FundingRule {
    /// Reads back into an equal rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for candidate in &self.candidates {
            writeln!(f, "from {}", candidate.source)?;
            if candidate.share < 100 {
                writeln!(f, "  share {}", candidate.share)?;
            }
            if let Some(cap) = candidate.cap_minor {
                writeln!(f, "  cap {cap}")?;
            }
            if candidate.rest == Rest::Person {
                writeln!(f, "  rest person")?;
            }
            for line in candidate.when.to_string().lines() {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// An account that a candidate may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAccount {
    pub source: FundingSource,
    pub account: AccountId,
    /// What can be spent now, held money not counted.
    pub available: Money,
}

/// The person's own account, and what the person has agreed to once and for all. Trap 9: no consent, no charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonalAccount {
    pub account: AccountId,
    pub available: Money,
    pub consent: Option<StandingConsent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingConsent {
    /// Most that may be charged for one ride; `None`: whatever the ride costs.
    pub cap_minor: Option<i64>,
}

/// Why a candidate did not pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FundingFailure {
    /// There is no such account for this member.
    NoAccount,
    OtherCurrency,
    Conditions(Decision),
    /// It would pay this much of the fare, and nobody may pay the rest.
    RestNotAllowed {
        payable_minor: i64,
    },
    /// It would pay this much and has less.
    Insufficient {
        wanted_minor: i64,
        available_minor: i64,
    },
    /// It would pay a part, but the person's part cannot be paid.
    PersonalPart(PersonalFailure),
}

/// Why the person's account did not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalFailure {
    NoAccount,
    OtherCurrency,
    NoConsent,
    AboveConsent { wanted_minor: i64, cap_minor: i64 },
    Insufficient { wanted_minor: i64, available_minor: i64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub source: FundingSource,
    pub failure: FundingFailure,
}

/// An amount that one account pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub account: AccountId,
    pub amount_minor: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Funded {
    /// `personal`: the rest of the fare, where the rule lets the institution pay a part.
    Institution {
        source: FundingSource,
        institution: Part,
        personal: Option<Part>,
    },
    Personal(Part),
    /// Owed by the person until it is settled; the next ride code is refused until then.
    Arrears {
        amount_minor: i64,
        failure: PersonalFailure,
    },
}

/// Who pays, and what was tried before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundingOutcome {
    pub attempts: Vec<Attempt>,
    pub funded: Funded,
}

/// The choice of the payer of one ride.
#[derive(Debug, Clone, Copy)]
pub struct FundingQuestion<'a> {
    /// The whole fare, at least 1 minor unit.
    pub fare: Money,
    /// The facts for the candidates' conditions; its amount is set to what the candidate would pay.
    pub input: PolicyInput<'a>,
    pub accounts: &'a [SourceAccount],
    pub personal: Option<PersonalAccount>,
}

impl FundingRule {
    /// Tries the candidates in order, then the person's account, then writes the fare down as arrears. Every candidate that
    /// was passed over is named with its reason; the parts of the outcome always sum to the fare.
    pub fn fund(&self, question: &FundingQuestion<'_>) -> FundingOutcome {
        let mut attempts = Vec::new();
        for candidate in &self.candidates {
            match candidate.try_to_pay(question) {
                Ok(funded) => return FundingOutcome { attempts, funded },
                Err(failure) => attempts.push(Attempt {
                    source: candidate.source,
                    failure,
                }),
            }
        }
        let funded = fall_back(question.fare, question.personal.as_ref());
        FundingOutcome { attempts, funded }
    }
}

/// The whole fare from the person. Row R08.
pub fn fall_back(fare: Money, personal: Option<&PersonalAccount>) -> Funded {
    match personal_part(fare, personal) {
        Ok(part) => Funded::Personal(part),
        Err(failure) => Funded::Arrears {
            amount_minor: fare.minor,
            failure,
        },
    }
}

fn personal_part(amount: Money, personal: Option<&PersonalAccount>) -> Result<Part, PersonalFailure> {
    let personal = personal.ok_or(PersonalFailure::NoAccount)?;
    if personal.available.currency != amount.currency {
        return Err(PersonalFailure::OtherCurrency);
    }
    let consent = personal.consent.ok_or(PersonalFailure::NoConsent)?;
    let wanted_minor = amount.minor;
    if let Some(cap_minor) = consent.cap_minor.filter(|cap| *cap < wanted_minor) {
        return Err(PersonalFailure::AboveConsent {
            wanted_minor,
            cap_minor,
        });
    }
    let available_minor = personal.available.minor;
    if available_minor < wanted_minor {
        return Err(PersonalFailure::Insufficient {
            wanted_minor,
            available_minor,
        });
    }
    Ok(Part {
        account: personal.account,
        amount_minor: wanted_minor,
    })
}

impl Candidate {
    /// What it would pay of `fare`: its share, rounded down, at most its cap.
    fn payable_minor(&self, fare: Money) -> i64 {
        let share = i128::from(fare.minor) * i128::from(self.share) / 100;
        let share = i64::try_from(share).expect("a share is no more than the fare");
        self.cap_minor.map_or(share, |cap| share.min(cap))
    }

    /// Refuses in the order of [`FundingFailure`].
    fn try_to_pay(&self, question: &FundingQuestion<'_>) -> Result<Funded, FundingFailure> {
        let fare = question.fare;
        let found = question.accounts.iter().find(|known| known.source == self.source);
        let found = found.ok_or(FundingFailure::NoAccount)?;
        if found.available.currency != fare.currency {
            return Err(FundingFailure::OtherCurrency);
        }
        let payable_minor = self.payable_minor(fare);
        let mut input = question.input;
        input.amount = Money::new(payable_minor, fare.currency);
        input.ride.fare_minor = Some(fare.minor);
        if !self.when.allows(&input) {
            return Err(FundingFailure::Conditions(self.when.decide(&input)));
        }
        let rest_minor = fare.minor - payable_minor;
        if payable_minor < 1 || (rest_minor > 0 && self.rest == Rest::Nobody) {
            return Err(FundingFailure::RestNotAllowed { payable_minor });
        }
        if found.available.minor < payable_minor {
            return Err(FundingFailure::Insufficient {
                wanted_minor: payable_minor,
                available_minor: found.available.minor,
            });
        }
        let rest = Money::new(rest_minor, fare.currency);
        let personal = match rest_minor {
            0 => None,
            _ => Some(personal_part(rest, question.personal.as_ref()).map_err(FundingFailure::PersonalPart)?),
        };
        Ok(Funded::Institution {
            source: self.source,
            institution: Part {
                account: found.account,
                amount_minor: payable_minor,
            },
            personal,
        })
    }
}

#[cfg(test)]
mod tests;
