use onescan_domain::rides::tap::TapKind;
use onescan_gate::journal::{self, ACCEPTED, Head, Record, RecordError, Tail};
use onescan_gate::keys::SigningKey;
use proptest::prelude::*;

use crate::support::{NOW, text};

fn key() -> SigningKey {
    SigningKey::ed25519(&[5; 32])
}

fn record(head: Head) -> Record {
    Record {
        sequence: head.sequence + 1,
        previous: head.hash,
        gate: "ter_01kb6x2x8s0g00000000000000".to_owned(),
        kind: TapKind::Entry,
        station: "S1".to_owned(),
        at: NOW + head.sequence as i64,
        verdict: ACCEPTED.to_owned(),
        incomplete: false,
        code: text(1 + head.sequence as u32),
    }
}

/// A file of so many records, and where each ends.
fn file(count: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut file, mut ends, mut head) = (Vec::new(), Vec::new(), Head::START);
    for _ in 0..count {
        let signed = record(head).sign(&key());
        head = head.after(&signed);
        file.extend(journal::framed(&signed));
        ends.push(file.len());
    }
    (file, ends)
}

#[test]
fn records_come_back_and_only_their_gate_can_have_signed_them() {
    let record = record(Head::START);
    let signed = record.sign(&key());
    assert_eq!(Record::open(&signed, &key().public()), Ok(record));
    let other = SigningKey::ed25519(&[6; 32]).public();
    assert_eq!(Record::open(&signed, &other), Err(RecordError::Signature));
    assert_eq!(Record::open(b"text", &other), Err(RecordError::Unreadable));
}

#[test]
fn a_chain_is_read_to_its_end() {
    let (file, _) = file(5);
    let read = journal::recover(&file, &key().public());
    assert_eq!((read.records.len(), read.good, read.tail), (5, file.len(), Tail::Clean));
    assert_eq!(read.head.sequence, 5);
    assert_eq!(journal::recover(&[], &key().public()).head, Head::START);
}

#[test]
fn a_record_that_was_taken_out_breaks_the_chain() {
    let (file, ends) = file(4);
    let without_second = [&file[..ends[0]], &file[ends[1]..]].concat();
    let read = journal::recover(&without_second, &key().public());
    assert_eq!((read.records.len(), read.tail), (1, Tail::Foreign));
}

proptest! {
    /// Wherever the power goes, whole records stay and the torn one is known as torn.
    #[test]
    fn a_torn_tail_is_cut(cut in 0..2_000usize) {
        let (file, ends) = file(4);
        let cut = cut % file.len();
        let read = journal::recover(&file[..cut], &key().public());
        let whole = ends.iter().filter(|end| **end <= cut).count();
        prop_assert_eq!(read.records.len(), whole);
        let expected = if ends.contains(&cut) || cut == 0 { Tail::Clean } else { Tail::Torn };
        prop_assert_eq!(read.tail, expected);
    }

    /// A changed byte ends the chain before the record it is in.
    #[test]
    fn a_changed_byte_is_found(place in 0..10_000usize, change in 1..=255u8) {
        let (mut file, ends) = file(3);
        let place = place % file.len();
        file[place] ^= change;
        let read = journal::recover(&file, &key().public());
        prop_assert!(read.records.len() <= ends.iter().filter(|end| **end <= place).count());
    }
}
