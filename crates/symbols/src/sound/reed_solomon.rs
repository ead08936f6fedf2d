//! Parity bytes over GF(256) with the field polynomial x⁸ + x⁴ + x³ + x² + 1 and the roots
//! 2⁰, 2¹, 2² … A receiver mends half as many wrong bytes as there are parity bytes.

/// The field polynomial without its highest term.
const FIELD_POLYNOMIAL: u8 = 0x1d;

/// `count` parity bytes of `message`; both together stay under 256 bytes.
pub(super) fn parity(message: &[u8], count: usize) -> Vec<u8> {
    assert!(message.len() + count < 256, "longer than one block");
    let generator = generator(count);
    let mut remainder = vec![0; count];
    for &byte in message {
        let factor = byte ^ remainder[0];
        remainder.rotate_left(1);
        remainder[count - 1] = 0;
        for (place, &coefficient) in remainder.iter_mut().zip(&generator) {
            *place ^= multiply(coefficient, factor);
        }
    }
    remainder
}

/// Coefficients of (x − 2⁰)(x − 2¹)…, highest power first, without the leading 1.
fn generator(count: usize) -> Vec<u8> {
    let mut coefficients = vec![1];
    let mut root = 1;
    for _ in 0..count {
        coefficients.push(0);
        for place in (1..coefficients.len()).rev() {
            coefficients[place] ^= multiply(coefficients[place - 1], root);
        }
        root = multiply(root, 2);
    }
    coefficients.remove(0);
    coefficients
}

/// Product in GF(256): shift and add, reduced at each shift.
fn multiply(mut left: u8, mut right: u8) -> u8 {
    let mut product = 0;
    while right != 0 {
        if right & 1 == 1 {
            product ^= left;
        }
        let overflows = left & 0x80 != 0;
        left <<= 1;
        if overflows {
            left ^= FIELD_POLYNOMIAL;
        }
        right >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value of the polynomial `bytes`, highest power first, at `point`.
    fn evaluate(bytes: &[u8], point: u8) -> u8 {
        bytes.iter().fold(0, |sum, &byte| multiply(sum, point) ^ byte)
    }

    fn power_of_two(exponent: usize) -> u8 {
        (0..exponent).fold(1, |power, _| multiply(power, 2))
    }

    #[test]
    fn multiplication_is_that_of_a_field() {
        for left in 0..=255 {
            assert_eq!(multiply(left, 1), left);
            assert_eq!(multiply(left, 0), 0);
            for right in 0..=255 {
                assert_eq!(multiply(left, right), multiply(right, left));
                let apart = multiply(left, 7) ^ multiply(right, 7);
                assert_eq!(multiply(left ^ right, 7), apart);
            }
        }
        assert_eq!(multiply(0x80, 2), 0x1d);
    }

    #[test]
    fn two_generates_every_element_but_zero() {
        let powers: std::collections::BTreeSet<u8> = (0..255).map(power_of_two).collect();
        assert_eq!(powers.len(), 255);
        assert!(!powers.contains(&0));
        assert_eq!(power_of_two(255), 1);
    }

    #[test]
    fn the_generator_of_seven_is_the_one_of_small_qr_codes() {
        assert_eq!(generator(7), [127, 122, 154, 164, 11, 68, 117]);
    }

    #[test]
    fn message_and_parity_vanish_at_every_root() {
        for (length, count) in [(1, 2), (3, 2), (4, 4), (18, 6), (140, 56)] {
            let mut block: Vec<u8> = (0..length).map(|place| (place * 37 + 5) as u8).collect();
            block.extend(parity(&block, count));
            for exponent in 0..count {
                assert_eq!(evaluate(&block, power_of_two(exponent)), 0);
            }
            block[0] ^= 1;
            assert_ne!(evaluate(&block, 1), 0, "a changed byte must show");
        }
    }
}
