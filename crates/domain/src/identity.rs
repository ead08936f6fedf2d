//! Who a person is: the number a code record is made from.

use std::fmt;

/// The three kinds of identity id. Row S03. Source: S \[20\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// The number under which the person is registered here.
    UserNumber,
    /// The number of a credential, such as an identity card.
    Credential,
    /// The number of a credential for crossing borders, such as a passport.
    CrossBorderCredential,
}

impl IdentityKind {
    pub const ALL: [Self; 3] = [Self::UserNumber, Self::Credential, Self::CrossBorderCredential];

    pub fn name(self) -> &'static str {
        match self {
            Self::UserNumber => "user_number",
            Self::Credential => "credential",
            Self::CrossBorderCredential => "cross_border_credential",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A person's identity id: its kind and a number of 1 to 64 letters, digits, `-`, `.`, `/`, kept in upper case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdentityId {
    kind: IdentityKind,
    number: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an identity number has 1 to 64 letters, digits, hyphens, points or slashes")]
pub struct IdentityError;

impl IdentityId {
    pub fn new(kind: IdentityKind, number: &str) -> Result<Self, IdentityError> {
        let number = number.trim().to_uppercase();
        let fits = (1..=64).contains(&number.chars().count());
        let clean = number
            .chars()
            .all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '.' | '/'));
        if fits && clean {
            Ok(Self { kind, number })
        } else {
            Err(IdentityError)
        }
    }

    pub fn kind(&self) -> IdentityKind {
        self.kind
    }

    pub fn number(&self) -> &str {
        &self.number
    }

    /// One text for both parts, as it is encrypted or hashed: `credential:110101199003074477`.
    pub fn canonical(&self) -> String {
        format!("{}:{}", self.kind.name(), self.number)
    }

    /// The number with all but its last four characters hidden, for pages and lists.
    pub fn masked(&self) -> String {
        let count = self.number.chars().count();
        let hidden = count.saturating_sub(4).max(count / 2);
        self.number
            .chars()
            .enumerate()
            .map(|(place, letter)| if place < hidden { '•' } else { letter })
            .collect()
    }
}

impl fmt::Debug for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.masked())
    }
}
