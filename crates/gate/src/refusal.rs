//! Why a gate does not open.

use onescan_domain::money::Money;

use crate::keys::KeyId;

/// In the order of the checks: the first that holds is told. Source: FIELD 4, errors of bus validators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this is not a ride code")]
    NotARideCode,
    #[error("a ride code of a version that this gate does not know")]
    UnsupportedVersion,
    #[error("signed with SM2, which this gate does not check yet")]
    Sm2NotSupported,
    #[error("signed with algorithm {id}, which this gate does not know")]
    UnsupportedAlgorithm { id: i64 },
    #[error("the gate's clock is wrong: it is behind what the issuer has signed")]
    TerminalClockWrong,
    #[error("the issuer's key {} is not known here", .key.hex())]
    UnknownIssuerKey { key: KeyId },
    #[error("the issuer's key {} is not in force", .key.hex())]
    IssuerKeyEnded { key: KeyId },
    #[error("the issuer did not sign this")]
    IssuerSignature,
    #[error("the entitlement begins later")]
    EntitlementNotYetValid,
    #[error("the entitlement has ended: go online to renew it")]
    EntitlementExpired,
    #[error("the entitlement is for another operator")]
    WrongOperator,
    #[error("the device did not sign this")]
    DeviceSignature,
    #[error("the code is from the future: the clock of the phone or of the gate is wrong")]
    CodeFromFuture,
    #[error("the code has expired: show the page itself, not a picture of it")]
    CodeExpired,
    #[error("the gate's deny list is too old")]
    DenyListTooOld,
    #[error("the device is on the deny list")]
    Revoked,
    #[error("the entitlement is in {}, the fare here is not", .cap.currency)]
    WrongCurrency { cap: Money },
    #[error("the fare here may be more than the {cap} that the entitlement covers")]
    CapExceeded { cap: Money },
    #[error("this code was used already")]
    Replayed,
    #[error("entered already: leave before entering again")]
    EntryWithoutExit,
    #[error("no entry is known for this exit")]
    ExitWithoutEntry,
}

impl Refusal {
    /// Stable names, in the order of the checks.
    pub const CODES: [&'static str; 21] = [
        "not-a-ride-code",
        "unsupported-version",
        "sm2-not-supported",
        "unsupported-algorithm",
        "terminal-clock-wrong",
        "unknown-issuer-key",
        "issuer-key-ended",
        "issuer-signature",
        "entitlement-not-yet-valid",
        "entitlement-expired",
        "wrong-operator",
        "device-signature",
        "code-from-future",
        "code-expired",
        "deny-list-too-old",
        "revoked",
        "wrong-currency",
        "cap-exceeded",
        "replayed",
        "entry-without-exit",
        "exit-without-entry",
    ];

    pub fn code(self) -> &'static str {
        let place = match self {
            Self::NotARideCode => 0,
            Self::UnsupportedVersion => 1,
            Self::Sm2NotSupported => 2,
            Self::UnsupportedAlgorithm { .. } => 3,
            Self::TerminalClockWrong => 4,
            Self::UnknownIssuerKey { .. } => 5,
            Self::IssuerKeyEnded { .. } => 6,
            Self::IssuerSignature => 7,
            Self::EntitlementNotYetValid => 8,
            Self::EntitlementExpired => 9,
            Self::WrongOperator => 10,
            Self::DeviceSignature => 11,
            Self::CodeFromFuture => 12,
            Self::CodeExpired => 13,
            Self::DenyListTooOld => 14,
            Self::Revoked => 15,
            Self::WrongCurrency { .. } => 16,
            Self::CapExceeded { .. } => 17,
            Self::Replayed => 18,
            Self::EntryWithoutExit => 19,
            Self::ExitWithoutEntry => 20,
        };
        Self::CODES[place]
    }
}
