//! Every refusal, in the order of the checks.

use onescan_domain::rides::tap::TapKind::{Entry, Exit, Single};
use onescan_gate::base45;
use onescan_gate::code::{self, Entitlement, PREFIX, Scope};
use onescan_gate::keys::{Algorithm, SigningKey, hex};
use onescan_gate::refusal::Refusal;
use onescan_gate::verify::{Gate, Incomplete, IssuerKey, IssuerKeys, UnknownEntry, WhenStale};

use crate::support::{NOW, NOW_S, device, entitlement, eur, gate, issuer, list, shown, text};

fn refusal(gate: &Gate, text: &str) -> &'static str {
    gate.look(text, Entry, NOW).map_or_else(Refusal::code, |_| "accepted")
}

#[test]
fn a_fresh_code_opens_with_either_algorithm() {
    for algorithm in Algorithm::ALL {
        let device = device(algorithm);
        let text = code::show(&entitlement(&device).sign(&issuer()), NOW_S as u32, 1, &device);
        let passage = gate().look(&text, Entry, NOW).unwrap();
        assert_eq!(passage.device, device.public().fingerprint());
        assert_eq!((passage.cap, passage.incomplete), (eur(20_00), None));
    }
}

#[test]
fn what_is_no_ride_code() {
    for text in [
        "",
        "281234567890123456",
        "HC1:6BF",
        "ORC1:",
        "ORC1:abc",
        "ORCx:BB8",
        "ORC:BB8",
        "orc1:BB8",
    ] {
        assert_eq!(refusal(&gate(), text), "not-a-ride-code", "{text}");
    }
}

#[test]
fn another_version() {
    assert_eq!(refusal(&gate(), "ORC2:BB8"), "unsupported-version");
}

/// The same code with another algorithm in its outer header.
fn with_algorithm(header: &str) -> String {
    let bytes = base45::decode(text(1).strip_prefix(PREFIX).unwrap()).unwrap();
    let changed = hex(&bytes).replacen("43a10127", header, 1);
    let bytes = onescan_gate::keys::unhex(&changed).unwrap();
    format!("{PREFIX}{}", base45::encode(&bytes))
}

#[test]
fn sm2_and_other_algorithms_have_their_own_errors() {
    // -65794 is SM2 here, -37 is PS256.
    assert_eq!(
        refusal(&gate(), &with_algorithm("47a1013a00010101")),
        "sm2-not-supported"
    );
    assert_eq!(refusal(&gate(), &with_algorithm("44a1013824")), "unsupported-algorithm");
}

#[test]
fn a_gate_behind_what_the_issuer_signed_knows_that_its_clock_is_wrong() {
    let early = (NOW_S - 60 - 31) * 1_000;
    assert_eq!(gate().look(&text(1), Entry, early), Err(Refusal::TerminalClockWrong));
}

#[test]
fn an_issuer_nobody_knows_and_one_out_of_force() {
    let mut gate = gate();
    gate.keys = IssuerKeys::default();
    assert_eq!(refusal(&gate, &text(1)), "unknown-issuer-key");
    let ended = |from_s, until_s| {
        IssuerKeys::new([IssuerKey {
            key: issuer().public(),
            from_s,
            until_s,
        }])
    };
    gate.keys = ended(0, NOW_S - 30);
    assert_eq!(refusal(&gate, &text(1)), "issuer-key-ended");
    gate.keys = ended(NOW_S + 31, NOW_S + 9_999);
    assert_eq!(refusal(&gate, &text(1)), "issuer-key-ended");
}

#[test]
fn what_the_issuer_did_not_sign() {
    // The device changes its own cap: the bytes of 20.00 are there once.
    let device = device(Algorithm::Ed25519);
    let signed = hex(&entitlement(&device).sign(&issuer()));
    let forged = signed.replacen("1907d063455552", "1907d163455552", 1);
    assert_ne!(signed, forged);
    let forged = onescan_gate::keys::unhex(&forged).unwrap();
    let text = code::show(&forged, NOW_S as u32, 1, &device);
    assert_eq!(refusal(&gate(), &text), "issuer-signature");
}

#[test]
fn entitlements_begin_and_end() {
    let with = |issued_at_s, valid_s| {
        shown(
            &Entitlement {
                issued_at_s,
                valid_s,
                ..entitlement(&device(Algorithm::Ed25519))
            },
            NOW_S,
            1,
        )
    };
    assert_eq!(refusal(&gate(), &with(NOW_S + 31, 60)), "entitlement-not-yet-valid");
    assert_eq!(refusal(&gate(), &with(NOW_S + 30, 60)), "accepted");
    assert_eq!(refusal(&gate(), &with(NOW_S - 60, 60)), "entitlement-expired");
    assert_eq!(refusal(&gate(), &with(NOW_S - 60, 61)), "accepted");
}

#[test]
fn another_operator_and_a_network() {
    let with = |scopes: &[&str]| {
        let scopes = scopes.iter().map(|name| Scope::of(name)).collect();
        shown(
            &Entitlement {
                scopes,
                ..entitlement(&device(Algorithm::Ed25519))
            },
            NOW_S,
            1,
        )
    };
    let mut gate = gate();
    assert_eq!(refusal(&gate, &with(&["mer_other"])), "wrong-operator");
    assert_eq!(refusal(&gate, &with(&[])), "accepted");
    gate.policy.scopes = vec![Scope::of("mer_third"), Scope::of("network:north")];
    assert_eq!(refusal(&gate, &with(&["mer_other", "network:north"])), "accepted");
}

#[test]
fn another_device_cannot_show_it() {
    let signed = entitlement(&device(Algorithm::Ed25519)).sign(&issuer());
    let thief = SigningKey::ed25519(&[1; 32]);
    let text = code::show(&signed, NOW_S as u32, 1, &thief);
    assert_eq!(refusal(&gate(), &text), "device-signature");
}

#[test]
fn codes_live_for_seconds() {
    let at = |at_s| shown(&entitlement(&device(Algorithm::Ed25519)), at_s, 1);
    for (age_s, expected) in [
        (-31, "code-from-future"),
        (-30, "accepted"),
        (0, "accepted"),
        (74, "accepted"),
        (75, "code-expired"),
        (10_000, "code-expired"),
    ] {
        assert_eq!(refusal(&gate(), &at(NOW_S - age_s)), expected, "{age_s}");
    }
}

#[test]
fn a_stale_deny_list_refuses_or_lets_little_through() {
    let mut gate = gate();
    gate.policy.list_age_max_s = 59;
    assert_eq!(refusal(&gate, &text(1)), "deny-list-too-old");
    gate.policy.when_stale = WhenStale::UpTo(eur(5_00));
    assert_eq!(refusal(&gate, &text(1)), "deny-list-too-old");
    gate.policy.fare_max = Some(eur(5_01));
    assert_eq!(refusal(&gate, &text(1)), "deny-list-too-old");
    gate.policy.fare_max = Some(eur(5_00));
    assert_eq!(refusal(&gate, &text(1)), "accepted");
    gate.deny = None;
    assert_eq!(refusal(&gate, &text(1)), "accepted");
    gate.policy.when_stale = WhenStale::Refuse;
    assert_eq!(refusal(&gate, &text(1)), "deny-list-too-old");
}

#[test]
fn a_denied_device_is_refused_also_by_a_stale_list() {
    let mut gate = gate();
    gate.deny = Some(list(&[device(Algorithm::Ed25519).public().fingerprint()]));
    assert_eq!(refusal(&gate, &text(1)), "revoked");
    gate.policy.list_age_max_s = 1;
    gate.policy.when_stale = WhenStale::UpTo(eur(5_00));
    gate.policy.fare_max = Some(eur(1_00));
    assert_eq!(refusal(&gate, &text(1)), "revoked");
}

#[test]
fn a_fare_in_another_currency_or_above_the_cap() {
    let mut gate = gate();
    gate.policy.fare_max = Some(eur(20_01));
    assert_eq!(refusal(&gate, &text(1)), "cap-exceeded");
    gate.policy.fare_max = Some(eur(20_00));
    assert_eq!(refusal(&gate, &text(1)), "accepted");
    gate.policy.fare_max = Some(onescan_domain::money::Money::new(
        1,
        onescan_domain::money::Currency::CNY,
    ));
    assert_eq!(refusal(&gate, &text(1)), "wrong-currency");
}

#[test]
fn a_code_opens_once() {
    let mut gate = gate();
    let passage = gate.look(&text(5), Single, NOW).unwrap();
    gate.admit(&passage, "A");
    for counter in [5, 4, 0] {
        assert_eq!(gate.look(&text(counter), Single, NOW), Err(Refusal::Replayed));
    }
    assert!(gate.look(&text(6), Single, NOW).is_ok());
}

#[test]
fn what_another_gate_has_seen_counts_here() {
    let (mut here, mut there) = (gate(), gate());
    let passage = there.look(&text(5), Entry, NOW).unwrap();
    there.admit(&passage, "A");
    here.memory.learn(onescan_gate::memory::Seen {
        device: passage.device,
        counter: passage.counter,
        kind: Entry,
        station: "A".to_owned(),
        at: NOW,
    });
    assert_eq!(here.look(&text(5), Exit, NOW), Err(Refusal::Replayed));
    assert_eq!(here.look(&text(6), Exit, NOW).unwrap().incomplete, None);
}

#[test]
fn an_entry_is_followed_by_an_exit() {
    let mut gate = gate();
    let entered = gate.look(&text(1), Entry, NOW).unwrap();
    gate.admit(&entered, "A");
    assert_eq!(refusal(&gate, &text(2)), "entry-without-exit");
    let exit = gate.look(&text(2), Exit, NOW).unwrap();
    assert_eq!(exit.incomplete, None);
    gate.admit(&exit, "B");
    assert_eq!(refusal(&gate, &text(3)), "accepted");
}

#[test]
fn a_journey_that_was_never_left_stays_incomplete() {
    let mut gate = gate();
    let entered = gate.look(&text(1), Entry, NOW).unwrap();
    gate.admit(&entered, "A");
    let later_s = NOW_S + 600;
    let later = shown(&entitlement(&device(Algorithm::Ed25519)), later_s, 2);
    let again = gate.look(&later, Entry, later_s * 1_000).unwrap();
    let Some(Incomplete::NeverLeft(journey)) = &again.incomplete else {
        panic!("{again:?}");
    };
    assert_eq!((journey.station.as_str(), journey.entered_at), ("A", NOW));
}

#[test]
fn an_exit_without_a_known_entry_opens_or_not_by_policy() {
    let mut gate = gate();
    let exit = gate.look(&text(1), Exit, NOW).unwrap();
    assert_eq!(exit.incomplete, Some(Incomplete::NeverEntered));
    gate.policy.unknown_entry = UnknownEntry::Refuse;
    assert_eq!(gate.look(&text(1), Exit, NOW), Err(Refusal::ExitWithoutEntry));
}

#[test]
fn what_is_told_late_changes_no_journey() {
    let mut memory = onescan_gate::memory::Memory::default();
    let device = device(Algorithm::Ed25519).public().fingerprint();
    let seen = |kind, counter, at| onescan_gate::memory::Seen {
        device,
        counter,
        kind,
        station: "A".to_owned(),
        at,
    };
    memory.learn(seen(Exit, 9, NOW));
    memory.learn(seen(Entry, 8, NOW - 1));
    assert_eq!((memory.counter(device), memory.journey(device)), (Some(9), None));
    memory.forget(NOW + 5, 5);
    assert!(memory.is_empty());
}

/// Two things are wrong: the one that is checked first is told.
#[test]
fn the_order_of_refusals() {
    let mut gate = gate();
    let thief = SigningKey::ed25519(&[1; 32]);
    let expired = Entitlement {
        valid_s: 1,
        scopes: vec![Scope::of("mer_other")],
        ..entitlement(&device(Algorithm::Ed25519))
    };
    let text = code::show(&expired.sign(&issuer()), 1, 1, &thief);
    assert_eq!(refusal(&gate, &text), "entitlement-expired");
    let other = Entitlement {
        valid_s: 9_999,
        ..expired
    };
    let text = code::show(&other.sign(&issuer()), 1, 1, &thief);
    assert_eq!(refusal(&gate, &text), "wrong-operator");
    let ours = entitlement(&device(Algorithm::Ed25519));
    let stolen = code::show(&ours.sign(&issuer()), 1, 1, &thief);
    assert_eq!(refusal(&gate, &stolen), "device-signature");
    gate.deny = None;
    assert_eq!(refusal(&gate, &shown(&ours, 1, 1)), "code-expired");
    gate.keys = IssuerKeys::default();
    assert_eq!(refusal(&gate, &stolen), "unknown-issuer-key");
}

#[test]
fn every_refusal_has_a_name_of_its_own() {
    let names = Refusal::CODES.iter().collect::<std::collections::HashSet<_>>();
    assert_eq!(names.len(), Refusal::CODES.len());
}
