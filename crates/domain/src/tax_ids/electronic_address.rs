//! Where a party receives documents from machines: a scheme and a number in it. \[BT-34, BT-49\]

use std::fmt;

use super::lists::{ADDRESS_SCHEMES, contains};

/// Written `0204:991-01234-56`; an e-mail address is `EM:name@example.org`, or that address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectronicAddress {
    scheme: String,
    value: String,
}

/// What is wrong with an address, in the order in which it is tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElectronicAddressError {
    #[error("an electronic address is a scheme, a colon and a number, for example 0204:991-01234-56")]
    NoScheme,
    #[error("{scheme} is no scheme of electronic addresses (the EAS list has them)")]
    UnknownScheme { scheme: String },
    #[error("the number behind the scheme is missing, or has blanks")]
    Value,
}

impl ElectronicAddress {
    pub fn parse(text: &str) -> Result<Self, ElectronicAddressError> {
        let text = text.trim();
        let (scheme, value) = match text.split_once(':') {
            Some((scheme, value)) => (scheme.to_ascii_uppercase(), value),
            None if text.contains('@') => ("EM".to_owned(), text),
            None => return Err(ElectronicAddressError::NoScheme),
        };
        if !contains(ADDRESS_SCHEMES, &scheme) {
            return Err(ElectronicAddressError::UnknownScheme { scheme });
        }
        if value.is_empty() || value.contains(char::is_whitespace) {
            return Err(ElectronicAddressError::Value);
        }
        Ok(Self {
            scheme,
            value: value.to_owned(),
        })
    }

    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for ElectronicAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.scheme, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_their_scheme() {
        let check = |text: &str| ElectronicAddress::parse(text).map(|address| address.to_string());
        assert_eq!(check(" 0204:991-01234-56 ").as_deref(), Ok("0204:991-01234-56"));
        assert_eq!(check("em:a@example.org").as_deref(), Ok("EM:a@example.org"));
        assert_eq!(check("a@example.org").as_deref(), Ok("EM:a@example.org"));
        assert_eq!(check("991-01234-56"), Err(ElectronicAddressError::NoScheme));
        assert_eq!(check("0204:"), Err(ElectronicAddressError::Value));
        assert_eq!(check("0204:9 1"), Err(ElectronicAddressError::Value));
        let scheme = "0001".to_owned();
        assert_eq!(check("0001:1"), Err(ElectronicAddressError::UnknownScheme { scheme }));
    }
}
