//! One issuer, one device of each algorithm, one gate.

use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::tap::Payer;
use onescan_gate::code::{self, Entitlement, Scope};
use onescan_gate::deny::{DenyList, Document};
use onescan_gate::keys::{Algorithm, Fingerprint, SigningKey};
use onescan_gate::memory::Memory;
use onescan_gate::verify::{Gate, IssuerKey, IssuerKeys, Policy};

pub const NOW_S: i64 = 1_795_000_000;
pub const NOW: i64 = NOW_S * 1_000;
pub const OPERATOR: &str = "mer_01kb6x2x8s0g00000000000000";

pub fn issuer() -> SigningKey {
    SigningKey::ed25519(&[7; 32])
}

pub fn device(algorithm: Algorithm) -> SigningKey {
    SigningKey::of_seed(algorithm, &[9; 32]).expect("nine is a key of both")
}

pub fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

pub fn entitlement(device: &SigningKey) -> Entitlement {
    Entitlement {
        issued_at_s: NOW_S - 600,
        valid_s: 6 * 3_600,
        device: device.public().bytes(),
        rules: [0xa5; 8],
        cap: eur(20_00),
        scopes: vec![Scope::of(OPERATOR), Scope::of("network:north")],
        payer: Payer::Institution,
    }
}

/// A code of an Ed25519 device, shown now.
pub fn text(counter: u32) -> String {
    shown(&entitlement(&device(Algorithm::Ed25519)), NOW_S, counter)
}

pub fn shown(entitlement: &Entitlement, at_s: i64, counter: u32) -> String {
    let signed = entitlement.sign(&issuer());
    code::show(&signed, at_s as u32, counter, &device(Algorithm::Ed25519))
}

pub fn list(devices: &[Fingerprint]) -> DenyList {
    let mut added = devices.to_vec();
    added.sort_unstable();
    let document = Document {
        since: None,
        version: 1,
        issued_at_s: NOW_S - 60,
        added,
        removed: Vec::new(),
    };
    DenyList::of(&document).expect("a whole list")
}

pub fn keys() -> IssuerKeys {
    IssuerKeys::new([IssuerKey {
        key: issuer().public(),
        from_s: NOW_S - 86_400,
        until_s: NOW_S + 86_400,
    }])
}

pub fn gate() -> Gate {
    Gate {
        policy: Policy::new(vec![Scope::of(OPERATOR)]),
        keys: keys(),
        deny: Some(list(&[])),
        memory: Memory::default(),
    }
}
