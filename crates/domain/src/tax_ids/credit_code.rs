//! China's unified social credit code: 18 characters, the last checks the others.
//!
//! Row S20. Source: GB 32100-2015.

/// Digits and capital letters without I, O, S, V, Z; a character's place is its value.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// What is wrong with a code, in the order in which it is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditCodeError {
    #[error("a unified social credit code has 18 characters, this has {characters}")]
    Length { characters: usize },
    /// Counted from 1.
    #[error("character {place} is not a digit or one of the letters in use")]
    Character { place: usize },
    /// Characters 3 to 8 are the six digits of the registering place.
    #[error("characters 3 to 8 must be digits")]
    Place,
    #[error("the last character should be {expected}: something is mistyped")]
    CheckCharacter { expected: char },
}

/// Small letters count as capitals, as people type them; no spaces.
pub fn check(code: &str) -> Result<(), CreditCodeError> {
    let characters = code.chars().count();
    if characters != 18 {
        return Err(CreditCodeError::Length { characters });
    }
    let mut values = [0_usize; 18];
    for (index, letter) in code.chars().enumerate() {
        let value = value_of(letter).ok_or(CreditCodeError::Character { place: index + 1 })?;
        values[index] = value;
    }
    if values[2..8].iter().any(|value| *value > 9) {
        return Err(CreditCodeError::Place);
    }
    let expected = check_value(&values[..17]);
    if values[17] == expected {
        Ok(())
    } else {
        let expected = char::from(ALPHABET[expected]);
        Err(CreditCodeError::CheckCharacter { expected })
    }
}

fn value_of(letter: char) -> Option<usize> {
    let letter = letter.to_ascii_uppercase();
    ALPHABET.iter().position(|known| char::from(*known) == letter)
}

/// Weights are the powers of 3 modulo 31.
fn check_value(values: &[usize]) -> usize {
    let (sum, _) = values
        .iter()
        .fold((0, 1), |(sum, weight), value| (sum + value * weight, weight * 3 % 31));
    (31 - sum % 31) % 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_checked_in_order() {
        let cases = [
            ("91310115MA1K000003", Ok(())),
            ("91110000600037341L", Ok(())),
            ("91110000600037341l", Ok(())),
            ("9131011", Err(CreditCodeError::Length { characters: 7 })),
            ("", Err(CreditCodeError::Length { characters: 0 })),
            ("9131011SMA1K000003", Err(CreditCodeError::Character { place: 8 })),
            ("91310115MA1K00000三", Err(CreditCodeError::Character { place: 18 })),
            ("91A10115MA1K000003", Err(CreditCodeError::Place)),
            (
                "91310115MA1K000004",
                Err(CreditCodeError::CheckCharacter { expected: '3' }),
            ),
            (
                "19310115MA1K000003",
                Err(CreditCodeError::CheckCharacter { expected: 'J' }),
            ),
        ];
        for (code, expected) in cases {
            assert_eq!(check(code), expected, "{code}");
        }
    }
}
