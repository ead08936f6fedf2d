//! Credit codes judged by a second implementation.

use onescan_domain::tax_ids::credit_code::{self, CreditCodeError};

use onescan_einvoice::titles::capitals::yuan_in_capitals;

use crate::tools;

const LETTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Codes spread over the alphabet: right ones, and each with its last character changed.
fn codes() -> Vec<String> {
    let mut codes = Vec::new();
    for seed in 0..300_usize {
        let letter = |place: usize| char::from(LETTERS[(seed * 17 + place * place * 13 + seed * place) % 31]);
        let place: String = (0..6)
            .map(|digit| char::from(b'0' + ((seed + digit * 7) % 10) as u8))
            .collect();
        let head: String = ['9', '1']
            .into_iter()
            .chain(place.chars())
            .chain((8..17).map(letter))
            .collect();
        for last in ['0', '7', letter(17)] {
            let code = format!("{head}{last}");
            if let Err(CreditCodeError::CheckCharacter { expected }) = credit_code::check(&code) {
                codes.push(format!("{head}{expected}"));
            }
            codes.push(code);
        }
    }
    codes
}

#[test]
fn s20_credit_codes_are_judged_as_others_judge_them() {
    let codes = codes();
    let judged = tools::answers("credit_codes.py", &codes.join("\n"));
    let judged: Vec<&str> = judged.lines().collect();
    assert_eq!(judged.len(), codes.len());
    for (code, judged) in codes.iter().zip(judged) {
        assert_eq!(credit_code::check(code).is_ok(), judged == "valid", "{code}");
    }
    assert!(codes.iter().any(|code| credit_code::check(code).is_err()));
}

#[test]
fn s20_amounts_in_capitals_are_read_back_by_a_second_implementation() {
    // Every figure alone, every gap of zeros, and sizes up to a hundred million.
    let spread = (0..2_000_i64).map(|seed| seed * seed * 7919 % 1_000_000_007 / (1 + seed % 13));
    let gaps = (0..11).flat_map(|one| (0..11).map(move |other| 10_i64.pow(one) * 3 + 10_i64.pow(other)));
    let amounts: Vec<i64> = (0..1_200).chain(spread).chain(gaps).chain([-680, -1]).collect();
    let words: Vec<String> = amounts.iter().map(|fen| yuan_in_capitals(*fen)).collect();
    let read = tools::answers("capitals.py", &words.join("\n"));
    let read: Vec<i64> = read.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(read, amounts);
}
