//! Platforms that live elsewhere (row S21): both ends of each remote contract, side by side.
//!
//! | module | what stands there |
//! |---|---|
//! | [`codes`], [`profiles`], [`payments`], [`invoicing`] | one table each: the calls and the forms of what travels |
//! | [`contract`] | makes client, routes and document of such a table |
//! | `form` | how values travel |
//! | [`client`] | connections, time limits, repeats, what an error means |
//! | [`decider`] | the way to institutions' own systems, which are no platforms |
//! | [`server`] | the routes of the platforms that live here, and who may call them |
//! | [`describe`] | the OpenAPI documents |
//! | [`standing`] | where each platform lives and how it is |
//!
//! **Invariant:** the rest of the program holds `Arc<dyn …>` of a contract and cannot tell whether it is here or elsewhere.
//! **Invariant:** an unknown outcome is asked for again, by a call that a repeat does not make twice, and is never told as
//! a failure.

pub mod client;
pub mod codes;
pub mod contract;
pub mod decider;
pub mod describe;
pub(crate) mod form;
pub mod invoicing;
pub mod payments;
pub mod profiles;
pub mod server;
pub mod standing;

use serde::{Deserialize, Serialize};

use contract::Contract;

/// All contracts, in the order of the patent's platforms.
pub static CONTRACTS: [&Contract; 4] = [
    &codes::CODES,
    &profiles::PROFILES,
    &payments::PAYMENTS,
    &invoicing::INVOICING,
];

pub fn find(name: &str) -> Option<&'static Contract> {
    CONTRACTS.iter().copied().find(|contract| contract.name == name)
}

/// Names the call, so that a server can tell a repeat in its log.
pub(crate) const KEY: &str = "idempotency-key";
/// W3C Trace Context.
pub(crate) const TRACE: &str = "traceparent";
/// Where a server says which contracts it answers; stands outside the versions.
pub const ABOUT: &str = "/wire/about";

/// Which program answers, and which contracts. Exchanged at start and when somebody looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub program: String,
    pub version: String,
    pub contracts: Vec<Offer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub name: String,
    /// Major and minor. The same major one understands each other.
    pub version: String,
}

impl About {
    /// The version of `contract` that is offered. `None`: it is not.
    pub fn version_of(&self, contract: &str) -> Option<&str> {
        let offer = self.contracts.iter().find(|offer| offer.name == contract)?;
        Some(&offer.version)
    }
}

/// Whether two versions of a contract understand each other.
pub fn understand(ours: &str, theirs: &str) -> bool {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    major(ours) == major(theirs)
}

/// What a call came to when it was not answered by the rules.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub error: FaultKind,
    /// For whoever reads the log of the caller.
    #[serde(default)]
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// Not done; the same call may be made again later.
    Busy,
    /// Not done: something behind the server is not there.
    Unavailable,
    /// It may or may not have been done.
    OutcomeUnknown,
    /// Not done: a rule of uniqueness, named in `detail`.
    Taken,
    /// Not done: this is not what the contract says.
    Unreadable,
    /// Not done: the caller may not make this call.
    Forbidden,
    /// Not done: there is no such call in this version.
    UnknownCall,
    /// A fault of the server.
    Internal,
}

impl FaultKind {
    pub(crate) const ALL: [(Self, u16, &'static str); 8] = [
        (Self::Unreadable, 400, "not what the contract says; nothing was done"),
        (
            Self::Forbidden,
            403,
            "the caller may not make this call; nothing was done",
        ),
        (Self::UnknownCall, 404, "no such call in this version; nothing was done"),
        (
            Self::Taken,
            409,
            "a rule of uniqueness, named in `detail`; nothing was done",
        ),
        (
            Self::Internal,
            500,
            "a fault of the server; a change may or may not have been done",
        ),
        (Self::Busy, 503, "not done; the same call may be made again later"),
        (
            Self::Unavailable,
            503,
            "not done: something behind the server is not there",
        ),
        (
            Self::OutcomeUnknown,
            504,
            "it may or may not have been done; ask before repeating",
        ),
    ];

    pub(crate) fn status(self) -> u16 {
        let row = Self::ALL.iter().find(|(kind, ..)| *kind == self);
        row.expect("every kind has a row").1
    }
}
