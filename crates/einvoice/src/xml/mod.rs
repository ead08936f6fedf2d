//! Invoices as XML: UBL 2.1 and UN/CEFACT CII, out and in.
//!
//! Nothing is written that the rules of the profile refuse: first [`Invoice::check`] in our words, then every business rule
//! of the profile over the model that is written. The totals written are ours ([`crate::totals`]); the rules reckon them anew.
//!
//! Row S20. Source: EN 16931-1 and -3, XRechnung 3.0, Peppol BIS Billing 3.0.

mod guard;
mod model;
mod parts;
mod read;

use en16931::validation::profile::{ProfileMarker, Rejected, Validated};
use en16931::{En16931, PeppolBis3, XRechnung};
use en16931_formats::report::Kind as EntryKind;

pub use read::{Limits, ReadError, ReadInvoice, Stated, judge, read};

use crate::check::Problem;
use crate::invoice::Invoice;
use crate::totals::Totals;

/// Which rules a document declares and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// EN 16931 itself.
    Core,
    /// Germany's usage specification 3.0.
    XRechnung,
    /// Peppol BIS Billing 3.0.
    Peppol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// OASIS UBL 2.1, `Invoice` or `CreditNote`.
    Ubl,
    /// UN/CEFACT Cross Industry Invoice D16B.
    Cii,
}

/// Why no document was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the invoice is not complete: {}", joined(.0))]
    Incomplete(Vec<Problem>),
    #[error("the rules of the profile refuse it: {}", joined(.0))]
    Refused(Vec<Breach>),
    /// The syntax has no place for these terms, and nothing is dropped without a word.
    #[error("the syntax cannot carry {}", .0.join(", "))]
    NotCarried(Vec<String>),
}

/// A broken rule of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// For example `BR-CO-10`.
    pub rule: String,
    /// Group and term, for example `BG-25[2]/BT-151`.
    pub place: String,
    pub message: String,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at {}: {}", self.rule, self.place, self.message)
    }
}

/// UBL 2.1: an `Invoice` or a `CreditNote`.
pub fn ubl(invoice: &Invoice, profile: Profile) -> Result<String, WriteError> {
    write(invoice, Syntax::Ubl, profile)
}

/// UN/CEFACT CII; a credit note is the same document with another code.
pub fn cii(invoice: &Invoice, profile: Profile) -> Result<String, WriteError> {
    write(invoice, Syntax::Cii, profile)
}

/// Lines whose model is in memory at the same time.
const LINES_AT_ONCE: usize = 1_000;

/// Time and the text grow with the number of lines; nothing else in memory does, beyond a thousand.
pub fn write(invoice: &Invoice, syntax: Syntax, profile: Profile) -> Result<String, WriteError> {
    let totals = checked(invoice, profile)?;
    match invoice.lines.len() {
        0..=LINES_AT_ONCE => judged(invoice, &totals, syntax, profile),
        _ => parts::write(invoice, &totals, (syntax, profile), LINES_AT_ONCE),
    }
}

fn checked(invoice: &Invoice, profile: Profile) -> Result<Totals, WriteError> {
    let problems = invoice.check(profile);
    if !problems.is_empty() {
        return Err(WriteError::Incomplete(problems));
    }
    Totals::of(invoice).map_err(|_| model::overflow())
}

fn judged(invoice: &Invoice, totals: &Totals, syntax: Syntax, profile: Profile) -> Result<String, WriteError> {
    match profile {
        Profile::Core => written(&proof_of::<En16931>(invoice, totals, profile)?, syntax),
        Profile::XRechnung => written(&proof_of::<XRechnung>(invoice, totals, profile)?, syntax),
        Profile::Peppol => written(&proof_of::<PeppolBis3>(invoice, totals, profile)?, syntax),
    }
}

/// The outside model, proved to keep all rules of `P`, which is the marker of `profile`.
pub(crate) fn proof<P: ProfileMarker>(invoice: &Invoice, profile: Profile) -> Result<Validated<P>, WriteError> {
    proof_of(invoice, &checked(invoice, profile)?, profile)
}

fn proof_of<P: ProfileMarker>(
    invoice: &Invoice,
    totals: &Totals,
    profile: Profile,
) -> Result<Validated<P>, WriteError> {
    let model = model::of(invoice, totals, profile)?;
    Validated::new(model).map_err(|rejected| WriteError::Refused(breaches(&rejected)))
}

fn breaches(rejected: &Rejected) -> Vec<Breach> {
    let breaches = rejected.report().fatal().map(|finding| Breach {
        rule: finding.rule.clone(),
        place: finding.path.to_string(),
        message: finding.message.clone(),
    });
    breaches.collect()
}

fn written<P: ProfileMarker>(proof: &Validated<P>, syntax: Syntax) -> Result<String, WriteError> {
    let syntax = match syntax {
        Syntax::Ubl => en16931_formats::Syntax::Ubl,
        Syntax::Cii => en16931_formats::Syntax::Cii,
    };
    let written = en16931_formats::write(proof, syntax);
    let lost: Vec<String> = written
        .entries
        .iter()
        .filter(|entry| {
            matches!(
                entry.kind,
                EntryKind::Dropped | EntryKind::Prohibited | EntryKind::Schema
            )
        })
        .map(|entry| entry.term.clone().unwrap_or_else(|| entry.path.clone()))
        .collect();
    if lost.is_empty() {
        Ok(written.xml)
    } else {
        Err(WriteError::NotCarried(lost))
    }
}

pub(crate) fn joined<T: ToString>(parts: &[T]) -> String {
    parts.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}
