use onescan_gate::deny::{DenyError, DenyList, Document};
use onescan_gate::keys::{Fingerprint, SigningKey};
use proptest::prelude::*;

use crate::support::{NOW_S, issuer, keys, list};

fn device(number: u64) -> Fingerprint {
    Fingerprint(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
}

fn sorted(numbers: impl IntoIterator<Item = u64>) -> Vec<Fingerprint> {
    let mut devices = numbers.into_iter().map(device).collect::<Vec<_>>();
    devices.sort_unstable();
    devices.dedup();
    devices
}

fn changes(since: u64, version: u64, added: Vec<Fingerprint>, removed: Vec<Fingerprint>) -> Document {
    Document {
        since: Some(since),
        version,
        issued_at_s: NOW_S,
        added,
        removed,
    }
}

#[test]
fn a_million_entries_are_found_and_others_are_not() {
    let denied = sorted(0..1_000_000);
    let list = list(&denied);
    assert_eq!(list.len(), 1_000_000);
    assert!((0..1_000_000).step_by(997).all(|number| list.contains(device(number))));
    assert!((1_000_000..1_100_000).all(|number| !list.contains(device(number))));
    assert_eq!(list.devices().collect::<Vec<_>>(), denied);
}

#[test]
fn documents_are_signed_and_their_changes_applied() {
    let whole = list(&sorted([1, 2, 3])).document().sign(&issuer());
    let first = DenyList::of(&Document::open(&whole, &keys()).unwrap()).unwrap();
    let delta = changes(1, 2, sorted([3, 4]), sorted([1, 9])).sign(&issuer());
    let second = first.after(&Document::open(&delta, &keys()).unwrap()).unwrap();
    assert_eq!(second.devices().collect::<Vec<_>>(), sorted([2, 3, 4]));
    assert_eq!((second.version(), second.issued_at_s()), (2, NOW_S));
    let nothing = second.after(&changes(2, 2, Vec::new(), Vec::new())).unwrap();
    assert_eq!(nothing.len(), 3);
}

#[test]
fn what_does_not_follow_is_refused() {
    let first = list(&sorted([1]));
    let gap = first.after(&changes(2, 3, Vec::new(), Vec::new()));
    assert_eq!(gap, Err(DenyError::Gap { since: 2, have: 1 }));
    let mut older = first.document();
    older.issued_at_s -= 1;
    assert_eq!(first.after(&older), Err(DenyError::Older));
    assert_eq!(DenyList::of(&changes(1, 2, Vec::new(), Vec::new())), None);
}

#[test]
fn foreign_and_changed_documents_are_refused() {
    let good = list(&sorted([1, 2])).document();
    let stranger = SigningKey::ed25519(&[3; 32]);
    let open = |bytes: &[u8]| Document::open(bytes, &keys());
    assert_eq!(open(b"no list"), Err(DenyError::Unreadable));
    let id = stranger.public().id();
    assert_eq!(open(&good.sign(&stranger)), Err(DenyError::UnknownKey(id)));
    let signed = good.sign(&issuer());
    let mut changed = signed.clone();
    let place = changed.len() - 80;
    changed[place] ^= 1;
    assert_eq!(open(&changed), Err(DenyError::Signature));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A list that follows changes holds what the whole list would hold.
    #[test]
    fn changes_lead_to_the_same_list(
        before in proptest::collection::btree_set(0..50u64, 0..30),
        added in proptest::collection::btree_set(0..50u64, 0..20),
        removed in proptest::collection::btree_set(0..50u64, 0..20),
    ) {
        let removed: std::collections::BTreeSet<_> = removed.difference(&added).copied().collect();
        let list = list(&sorted(before.iter().copied()));
        let after = list.after(&changes(1, 2, sorted(added.iter().copied()), sorted(removed.iter().copied()))).unwrap();
        let expected = sorted(before.union(&added).copied().filter(|number| !removed.contains(number)));
        prop_assert_eq!(after.devices().collect::<Vec<_>>(), expected);
    }
}
