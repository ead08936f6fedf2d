//! The shape of VAT identification numbers, country by country. Whether a number is registered only its country can say.
//!
//! Row S20. Source: European Commission, structure of VAT identification numbers (VIES).

/// What is wrong with a number, in the order in which it is tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VatIdError {
    #[error("a VAT id starts with the two letters of its country")]
    NoCountry,
    #[error("{country} issues no VAT ids that are known here")]
    UnknownCountry { country: String },
    #[error("a VAT id of {country} looks like {shapes}")]
    Shape { country: String, shapes: &'static str },
}

/// Country letters and shapes, separated by a space: `9` a digit, `a` a letter, `*` either, `+` either or one of `+*`,
/// anything else itself. Greece writes EL, Northern Ireland XI.
const SHAPES: &[(&str, &str)] = &[
    ("AT", "U99999999"),
    ("BE", "0999999999 1999999999"),
    ("BG", "999999999 9999999999"),
    ("CY", "99999999a"),
    ("CZ", "99999999 999999999 9999999999"),
    ("DE", "999999999"),
    ("DK", "99999999"),
    ("EE", "999999999"),
    ("EL", "999999999"),
    ("ES", "a99999999 a9999999a 99999999a"),
    ("FI", "99999999"),
    ("FR", "**999999999"),
    ("HR", "99999999999"),
    ("HU", "99999999"),
    ("IE", "9+99999a 9999999aa"),
    ("IT", "99999999999"),
    ("LT", "999999999 999999999999"),
    ("LU", "99999999"),
    ("LV", "99999999999"),
    ("MT", "99999999"),
    ("NL", "999999999B99"),
    ("PL", "9999999999"),
    ("PT", "999999999"),
    ("RO", "99 999 9999 99999 999999 9999999 99999999 999999999 9999999999"),
    ("SE", "999999999999"),
    ("SI", "99999999"),
    ("SK", "9999999999"),
    ("XI", "999999999 999999999999 GD999 HA999"),
];

/// Spaces, points and hyphens as people write them are dropped and letters made capital; the answer is the number as it
/// goes on a document.
pub fn check(text: &str) -> Result<String, VatIdError> {
    let number = written(text);
    let country = number
        .get(..2)
        .filter(|letters| letters.bytes().all(|byte| byte.is_ascii_uppercase()));
    let Some(country) = country else {
        return Err(VatIdError::NoCountry);
    };
    let known = SHAPES.iter().find(|(letters, _)| *letters == country);
    let Some((_, shapes)) = known else {
        let country = country.to_owned();
        return Err(VatIdError::UnknownCountry { country });
    };
    if shapes.split(' ').any(|shape| fits(&number[2..], shape)) {
        Ok(number)
    } else {
        let country = country.to_owned();
        Err(VatIdError::Shape { country, shapes })
    }
}

/// `text` without spaces, points and hyphens, in capitals.
pub fn written(text: &str) -> String {
    let letters = text.chars().filter(|letter| !matches!(letter, ' ' | '.' | '-'));
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

fn fits(number: &str, shape: &str) -> bool {
    let same_length = number.chars().count() == shape.chars().count();
    same_length
        && number
            .chars()
            .zip(shape.chars())
            .all(|(letter, sign)| fits_sign(letter, sign))
}

fn fits_sign(letter: char, sign: char) -> bool {
    match sign {
        '9' => letter.is_ascii_digit(),
        'a' => letter.is_ascii_uppercase(),
        '*' => letter.is_ascii_alphanumeric(),
        '+' => letter.is_ascii_alphanumeric() || matches!(letter, '+' | '*'),
        other if other.is_ascii_digit() || other.is_ascii_uppercase() => letter == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_shape(text: &str, expected: Option<&str>) {
        assert_eq!(check(text).ok().as_deref(), expected, "{text}");
    }

    #[test]
    fn numbers_of_every_country() {
        for text in [
            "ATU12345678",
            "BE0123456789",
            "BE1123456789",
            "BG123456789",
            "BG1234567890",
            "CY12345678X",
            "CZ12345678",
            "CZ1234567890",
            "DE123456789",
            "DK12345678",
            "EE123456789",
            "EL123456789",
            "ESX1234567X",
            "ES12345678X",
            "ESX12345678",
            "FI12345678",
            "FR12345678901",
            "FRXX345678901",
            "HR12345678901",
            "HU12345678",
            "IE1234567X",
            "IE1+23456X",
            "IE1234567XA",
            "IT12345678901",
            "LT123456789",
            "LT123456789012",
            "LU12345678",
            "LV12345678901",
            "MT12345678",
            "NL123456789B12",
            "PL1234567890",
            "PT123456789",
            "RO12",
            "RO1234567890",
            "SE123456789012",
            "SI12345678",
            "SK1234567890",
            "XI123456789",
            "XIGD123",
            "XIHA123",
        ] {
            check_shape(text, Some(text));
        }
        assert_eq!(SHAPES.len(), 28);
    }

    #[test]
    fn what_people_type_is_made_even() {
        check_shape("de 123 456 789", Some("DE123456789"));
        check_shape("NL 1234.56.789-B12", Some("NL123456789B12"));
    }

    #[test]
    fn wrong_numbers_are_named() {
        assert_eq!(check(""), Err(VatIdError::NoCountry));
        assert_eq!(check("123456789"), Err(VatIdError::NoCountry));
        assert_eq!(check("德123456789"), Err(VatIdError::NoCountry));
        let unknown = VatIdError::UnknownCountry {
            country: "US".to_owned(),
        };
        assert_eq!(check("US123456789"), Err(unknown));
        for text in [
            "DE12345678",
            "DE1234567890",
            "DE12345678X",
            "ATX12345678",
            "BE2123456789",
            "IT",
            "NL123456789C12",
        ] {
            assert!(matches!(check(text), Err(VatIdError::Shape { .. })), "{text}");
        }
    }
}
