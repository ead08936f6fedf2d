//! Journals of gates, in the provider's bucket.

use onescan_domain::ids::{MerchantId, PersonId, RideDeviceId, TapId, TerminalId};
use onescan_domain::rides::tap::{ClockFault, Payer, TapKind};
use onescan_gate::keys::{Algorithm, Fingerprint, PublicKey};
use onescan_platforms::ride_codes::{Journal, StoredTap, TapPage};

use super::fingerprint;
use crate::decode::{id, opt_id, opt_parsed, parsed, wrong};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::Tx;
use crate::{Store, params, statements};

macro_rules! journal_columns {
    () => {
        "gate_id, journal, public_key, head, records, head_at, created_at"
    };
}

macro_rules! tap_columns {
    () => {
        "id, provider_id, gate_id, journal, sequence, kind, station, at, received_at, clock_fault, verdict, fingerprint,
         person_id, device_id, counter, payer, rule_digest, incomplete, sound, chain_broken, hash, record"
    };
}

statements! {
    INSERT_JOURNAL = "insert into gate_journals
            (bucket, gate_id, journal, public_key, head, records, head_at, created_at)
        values (:bucket, :gate::text, :journal::text, :public_key::bytea, 0, 0, 0, :created_at)
        on conflict (bucket, gate_id, journal) do nothing";
    FIND_JOURNAL = concat!(
        "select ", journal_columns!(), " from gate_journals
            where bucket = :bucket and gate_id = :gate::text and journal = :journal::text"
    );
    LOCK_JOURNAL = concat!(
        "select ", journal_columns!(), " from gate_journals
            where bucket = :bucket and gate_id = :gate::text and journal = :journal::text {for update}"
    );
    LIST_JOURNALS = "select j.gate_id, j.journal, j.public_key, j.head, j.records, j.head_at, j.created_at
        from terminals t join gate_journals j on j.bucket = t.bucket and j.gate_id = t.id
        where t.bucket = :bucket and t.merchant_id = :provider::text order by t.id, j.journal";
    MOVE_JOURNAL = "update gate_journals set head = :head, records = :records, head_at = :head_at
        where bucket = :bucket and gate_id = :gate::text and journal = :journal::text";
    FIND_NUMBER = "select id, hash from ride_taps
        where bucket = :bucket and gate_id = :gate::text and journal = :journal::text and sequence = :sequence";
    INSERT_TAP = "insert into ride_taps (bucket, id, provider_id, gate_id, journal, sequence, kind, station, at,
            received_at, clock_fault, verdict, fingerprint, person_id, device_id, counter, payer, rule_digest, incomplete,
            sound, chain_broken, hash, record)
        values (:bucket, :id::text, :provider::text, :gate::text, :journal::text, :sequence, :kind::text,
            :station::text, :at, :received_at, :clock_fault::text, :verdict::text, :fingerprint::text, :person::text,
            :device::text, :counter, :payer::text, :rule_digest::text, :incomplete, :sound, :chain_broken, :hash::bytea,
            :record::bytea)
        on conflict (bucket, id) do nothing";
    LIST_TAPS = concat!(
        "select ", tap_columns!(), " from ride_taps
            where bucket = :bucket and provider_id = :provider::text and received_at >= :from
                and (received_at > :from or id > :after::text)
            order by received_at, id limit :limit"
    );
}

pub(super) async fn open_journal(store: &Store, journal: &Journal) -> Result<Journal, DbError> {
    let journal = journal.clone();
    let opening = store.db.write_with(journal, |tx, journal| {
        let row = params![
            journal.gate.bucket().number(),
            journal.gate.stored(),
            journal.id.hex(),
            journal.key.bytes(),
            journal.created_at
        ];
        let key = journal_key(journal.gate, journal.id);
        let gate = journal.gate;
        Box::pin(async move {
            tx.execute(&INSERT_JOURNAL, row).await?;
            read_journal(&tx.query_one(&FIND_JOURNAL, key).await?, gate)
        })
    });
    opening.await
}

fn journal_key(gate: TerminalId, journal: Fingerprint) -> Vec<Value> {
    params![gate.bucket().number(), gate.stored(), journal.hex()]
}

pub(super) async fn find_journal(
    store: &Store,
    gate: TerminalId,
    journal: Fingerprint,
) -> Result<Option<Journal>, DbError> {
    let found = store.db.query_opt(&FIND_JOURNAL, journal_key(gate, journal)).await?;
    found.map(|row| read_journal(&row, gate)).transpose()
}

pub(super) async fn list_journals(store: &Store, provider: MerchantId) -> Result<Vec<Journal>, DbError> {
    let key = params![provider.bucket().number(), provider.stored()];
    let rows = store.list_long(&LIST_JOURNALS, key).await?;
    let read = |row: &Row| read_journal(row, id(row, 0, TerminalId::new)?);
    rows.iter().map(read).collect()
}

/// One upload in one commit, the journal's row locked: uploads of one journal take turns.
pub(super) async fn insert(
    store: &Store,
    journal: &Journal,
    taps: Vec<StoredTap>,
) -> Result<(usize, Journal), DbError> {
    let input = ((journal.gate, journal.id), taps);
    let inserting = store.db.write_with(input, |tx, ((gate, journal), taps)| {
        let (gate, journal, taps) = (*gate, *journal, taps.clone());
        Box::pin(insert_all(tx, gate, journal, taps))
    });
    inserting.await
}

async fn insert_all(
    tx: &mut Tx,
    gate: TerminalId,
    journal: Fingerprint,
    mut taps: Vec<StoredTap>,
) -> Result<(usize, Journal), DbError> {
    let locked = tx.query_one(&LOCK_JOURNAL, journal_key(gate, journal)).await?;
    let mut journal = read_journal(&locked, gate)?;
    taps.sort_by_key(|tap| tap.sequence);
    let mut stored = Vec::new();
    for mut tap in taps {
        let twins = number(tx, &journal, tap.sequence).await?;
        if twins.iter().any(|hash| *hash == tap.hash) {
            continue;
        }
        let before = number(tx, &journal, tap.sequence - 1).await?;
        tap.chain_broken = !twins.is_empty() || !before.is_empty() && !before.contains(&tap.previous.to_vec());
        if tap.sequence > journal.head {
            if tap.at < journal.head_at && tap.clock_fault.is_none() {
                tap.clock_fault = Some(ClockFault::Back);
            }
            (journal.head, journal.head_at) = (tap.sequence, tap.at);
        }
        // Two records under one number are one number.
        journal.records += i64::from(twins.is_empty());
        if tx.execute(&INSERT_TAP, values(&tap)).await? > 0 {
            stored.push(tap);
        }
    }
    if !stored.is_empty() {
        crate::journeys::work::queue(tx, &stored).await?;
        let moved = params![
            journal.head,
            journal.records,
            journal.head_at,
            gate.bucket().number(),
            gate.stored(),
            journal.id.hex()
        ];
        tx.execute_one(&MOVE_JOURNAL, moved).await?;
    }
    Ok((stored.len(), journal))
}

/// Hashes of the records under a number: none, one, or more where a gate was restored from a copy.
async fn number(tx: &mut Tx, journal: &Journal, sequence: i64) -> Result<Vec<Vec<u8>>, DbError> {
    let mut key = journal_key(journal.gate, journal.id);
    key.push(sequence.into());
    let rows = tx.query(&FIND_NUMBER, key).await?;
    rows.iter().map(|row| row.bytes(1).map(<[u8]>::to_vec)).collect()
}

pub(super) async fn list(store: &Store, provider: MerchantId, page: TapPage) -> Result<Vec<StoredTap>, DbError> {
    let key = params![
        provider.bucket().number(),
        provider.stored(),
        page.received_from,
        page.after.map(TapId::stored).unwrap_or_default(),
        page.limit
    ];
    let rows = store.list_long(&LIST_TAPS, key).await?;
    rows.into_iter().map(read_tap).collect()
}

fn read_journal(row: &Row, gate: TerminalId) -> Result<Journal, DbError> {
    let bytes = row.bytes(2)?;
    let algorithm = match bytes.len() {
        32 => Algorithm::Ed25519,
        _ => Algorithm::P256,
    };
    Ok(Journal {
        gate,
        id: fingerprint(row, 1)?,
        key: PublicKey::read(algorithm, bytes).ok_or_else(|| wrong(2, "public key"))?,
        head: row.int(3)?,
        records: row.int(4)?,
        head_at: row.int(5)?,
        created_at: row.int(6)?,
    })
}

fn values(tap: &StoredTap) -> Vec<Value> {
    params![
        tap.gate.bucket().number(),
        tap.id.stored(),
        tap.provider.stored(),
        tap.gate.stored(),
        tap.journal.hex(),
        tap.sequence,
        tap.kind.name(),
        &tap.station,
        tap.at,
        tap.received_at,
        tap.clock_fault.map(ClockFault::name),
        &tap.verdict,
        tap.fingerprint.map(Fingerprint::hex),
        tap.person.map(PersonId::stored),
        tap.device.map(RideDeviceId::stored),
        tap.counter,
        tap.payer.name(),
        &tap.rule_digest,
        tap.incomplete,
        tap.sound,
        tap.chain_broken,
        tap.hash.as_slice(),
        tap.record.as_slice()
    ]
}

fn read_tap(mut row: Row) -> Result<StoredTap, DbError> {
    Ok(StoredTap {
        id: id(&row, 0, TapId::new)?,
        provider: id(&row, 1, MerchantId::new)?,
        gate: id(&row, 2, TerminalId::new)?,
        journal: fingerprint(&row, 3)?,
        sequence: row.int(4)?,
        kind: parsed(&row, 5, "kind of tap", TapKind::parse)?,
        station: row.take_text(6)?,
        at: row.int(7)?,
        received_at: row.int(8)?,
        clock_fault: opt_parsed(&row, 9, "clock fault", ClockFault::parse)?,
        verdict: row.take_text(10)?,
        fingerprint: opt_parsed(&row, 11, "fingerprint", Fingerprint::parse)?,
        person: opt_id(&row, 12, PersonId::new)?,
        device: opt_id(&row, 13, RideDeviceId::new)?,
        counter: row.int(14)?,
        payer: parsed(&row, 15, "payer", Payer::parse)?,
        rule_digest: row.take_text(16)?,
        incomplete: row.flag(17)?,
        sound: row.flag(18)?,
        chain_broken: row.flag(19)?,
        previous: [0; 32],
        hash: row.bytes(20)?.try_into().map_err(|_| wrong(20, "a hash"))?,
        record: row.bytes(21)?.to_vec(),
    })
}
