use fast_qr::{ECL, QRBuilder};
use onescan_domain::money::{Currency, Money};
use onescan_gate::base45;
use onescan_gate::code::{self, Entitlement, PREFIX, RideCode};
use onescan_gate::keys::{Algorithm, PublicKey};
use onescan_gate::refusal::Refusal;
use proptest::prelude::*;

use crate::support::{NOW, NOW_S, device, entitlement, gate, issuer, text};
use onescan_domain::rides::tap::TapKind;

#[test]
fn a_code_says_what_was_put_into_it() {
    for algorithm in Algorithm::ALL {
        let device = device(algorithm);
        let wanted = entitlement(&device);
        let text = code::show(&wanted.sign(&issuer()), NOW_S as u32, 77, &device);
        let read = RideCode::read(&text).unwrap();
        assert_eq!(read.entitlement, wanted);
        assert_eq!((read.shown_at_s, read.counter), (NOW_S, 77));
        assert_eq!(read.issuer_key, issuer().public().id());
        assert!(read.is_issued_by(&issuer().public()) && read.is_shown_by_its_device());
        assert_eq!(read.fingerprint(), device.public().fingerprint());
    }
}

/// The largest values of every field, with the longer key.
#[test]
fn the_largest_code_fits_version_11_at_level_m() {
    for algorithm in Algorithm::ALL {
        let device = device(algorithm);
        let largest = Entitlement {
            valid_s: u32::MAX,
            cap: Money::new(u32::MAX.into(), Currency::CNY),
            ..entitlement(&device)
        };
        let text = code::show(&largest.sign(&issuer()), u32::MAX, u32::MAX, &device);
        let qr = QRBuilder::new(text.as_str()).ecl(ECL::M).build().unwrap();
        // Version 11 has 61 modules a side.
        assert!(qr.size <= 61, "{} letters are {} modules", text.len(), qr.size);
        assert!(text.len() <= 366, "{}", text.len());
    }
}

#[test]
fn no_name_and_no_id_stands_in_a_code() {
    let bytes = base45::decode(text(1).strip_prefix(PREFIX).unwrap()).unwrap();
    for part in ["mer_", "per_", "network"] {
        let found = bytes.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(!found, "{part}");
    }
}

#[test]
fn weak_keys_are_known_as_such() {
    // The neutral element: every signature of nothing holds under it.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(PublicKey::read(Algorithm::Ed25519, &neutral).is_none_or(|key| key.is_weak()));
    assert!(!device(Algorithm::Ed25519).public().is_weak());
}

proptest! {
    /// Whatever byte is changed, the gate does not open.
    #[test]
    fn a_code_with_a_changed_byte_is_refused(place in 0..4096usize, change in 1..=255u8) {
        let mut bytes = base45::decode(text(1).strip_prefix(PREFIX).unwrap()).unwrap();
        let place = place % bytes.len();
        bytes[place] ^= change;
        let tampered = format!("{PREFIX}{}", base45::encode(&bytes));
        prop_assert!(gate().look(&tampered, TapKind::Entry, NOW).is_err());
    }

    #[test]
    fn a_code_cut_short_or_with_more_behind_it_is_refused(cut in 0..300usize, more in "[A-Z0-9]{1,4}") {
        let text = text(1);
        let cut = cut.min(text.len() - 1);
        prop_assert!(RideCode::read(&text[..cut]).is_err());
        let longer = format!("{text}{more}");
        prop_assert!(RideCode::read(&longer).is_err());
    }

    /// No text makes the reader fall, and none but a code is one.
    #[test]
    fn any_text_is_refused(text in "\\PC*") {
        prop_assert_eq!(RideCode::read(&text).err(), Some(Refusal::NotARideCode));
    }

    #[test]
    fn any_bytes_in_the_right_dress_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = format!("{PREFIX}{}", base45::encode(&bytes));
        prop_assert!(RideCode::read(&text).is_err());
    }

    #[test]
    fn codes_of_any_fields_come_back(issued in 0..u32::MAX, valid in any::<u32>(), cap in any::<u32>(),
        rules: [u8; 8], shown in any::<u32>(), counter in any::<u32>()) {
        let device = device(Algorithm::Ed25519);
        let wanted = Entitlement {
            issued_at_s: issued.into(), valid_s: valid, cap: Money::new(cap.into(), Currency::EUR), rules,
            ..entitlement(&device)
        };
        let read = RideCode::read(&code::show(&wanted.sign(&issuer()), shown, counter, &device)).unwrap();
        prop_assert_eq!(read.entitlement, wanted);
        prop_assert_eq!((read.shown_at_s, read.counter), (shown.into(), counter.into()));
    }
}
