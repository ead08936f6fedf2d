//! Streams of taps that are to be worked on: one row per device and provider, due when taps came or a time limit ends.

use std::collections::BTreeMap;

use onescan_domain::ids::{MerchantId, PersonId, RideDeviceId, TapId, TerminalId};
use onescan_domain::rides::tap::{ClockFault, Payer, Tap, TapKind};
use onescan_gate::journal::ACCEPTED;
use onescan_platforms::journeys::{Next, Stream, TapRide, Window};
use onescan_platforms::ride_codes::StoredTap;
use onescan_platforms::rides::Written;

use super::rides;
use crate::decode::{id, opt_id, opt_parsed, parsed};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

macro_rules! of_device {
    () => {
        "where bucket = :bucket and provider_id = :provider::text and device_id = :device::text"
    };
}

macro_rules! raise {
    () => {
        " on conflict (bucket, provider_id, device_id) do update set
            from_counter = case when excluded.from_counter < tap_work.from_counter
                then excluded.from_counter else tap_work.from_counter end,
            due_at = case when excluded.due_at < tap_work.due_at then excluded.due_at else tap_work.due_at end,
            version = tap_work.version + 1"
    };
}

statements! {
    QUEUE = concat!(
        "insert into tap_work (bucket, provider_id, device_id, from_counter, due_at, version)
         values (:bucket, :provider::text, :device::text, :from, :due_at, 1)", raise!()
    );
    UNPRICED =
        "select device_id, min(first_counter) from tap_rides
         where bucket = :bucket and provider_id = :provider::text and state = 'unpriced' group by device_id";
    DUE_ALL_BUCKETS =
        "select provider_id, device_id, from_counter, version from tap_work where due_at <= :now
         order by due_at, bucket, provider_id, device_id limit :limit {for update skip locked}";
    LEASE = concat!("update tap_work set due_at = :until, version = version + 1 ", of_device!());
    LOCK = concat!("select version from tap_work ", of_device!(), " {for update}");
    WAIT = concat!("update tap_work set from_counter = :from, due_at = :due_at, version = version + 1 ", of_device!());
    DONE = concat!("delete from tap_work ", of_device!());
    /// Rides that a new tap may follow, repeat or complete.
    BEFORE = concat!(
        "select first_counter from tap_rides ", of_device!(),
        " and last_counter < :from and state <> 'withdrawn' order by last_counter desc limit 4"
    );
    OPEN = concat!(
        "select first_counter from tap_rides ", of_device!(),
        " and last_counter < :from and state = 'open' order by last_counter limit 4"
    );
    /// A ride that the cut would cut through.
    ACROSS = concat!(
        "select min(first_counter) from tap_rides ", of_device!(),
        " and last_counter >= :cut and first_counter < :cut and state <> 'withdrawn'"
    );
    TAPS = concat!(
        "select id, gate_id, sequence, kind, station, at, received_at, clock_fault, person_id, counter, payer,
            rule_digest, incomplete
         from ride_taps ", of_device!(),
        " and counter >= :cut and verdict = 'accepted' and sound = 1 order by counter, id"
    );
}

/// Puts the devices of taps that are matched to work, in the commit that stores the taps.
pub(crate) async fn queue(tx: &mut Tx, taps: &[StoredTap]) -> Result<(), DbError> {
    let mut first: BTreeMap<(MerchantId, RideDeviceId), (i64, i64)> = BTreeMap::new();
    let matched = taps.iter().filter(|tap| tap.sound && tap.verdict == ACCEPTED);
    for (tap, device) in matched.filter_map(|tap| Some((tap, tap.device?))) {
        let known = first
            .entry((tap.provider, device))
            .or_insert((tap.counter, tap.received_at));
        known.0 = known.0.min(tap.counter);
    }
    let rows = first.into_iter().map(|((provider, device), (counter, at))| {
        params![
            provider.bucket().number(),
            provider.stored(),
            device.stored(),
            counter,
            at
        ]
    });
    tx.execute_all(vec![Call::each(&QUEUE, rows.collect())]).await.map(drop)
}

/// Puts the provider's rides without a fare to work.
pub(super) async fn requeue(tx: &mut Tx, provider: MerchantId, at: i64) -> Result<(), DbError> {
    let (bucket, provider) = (provider.bucket().number(), provider.stored());
    let mut rows = Vec::new();
    for row in tx.query(&UNPRICED, params![bucket, &provider]).await? {
        rows.push(params![bucket, &provider, row.text(0)?, row.int(1)?, at]);
    }
    tx.execute_all(vec![Call::each(&QUEUE, rows)]).await.map(drop)
}

pub(super) async fn take(store: &Store, now: i64, until: i64, limit: u32) -> Result<Vec<Stream>, DbError> {
    let taking = store.db.write(move |tx| Box::pin(take_due(tx, now, until, limit)));
    taking.await
}

async fn take_due(tx: &mut Tx, now: i64, until: i64, limit: u32) -> Result<Vec<Stream>, DbError> {
    let rows = tx.query(&DUE_ALL_BUCKETS, params![now, limit]).await?;
    let taken = |row: &Row| {
        Ok(Stream {
            provider: id(row, 0, MerchantId::new)?,
            device: id(row, 1, RideDeviceId::new)?,
            from_counter: row.int(2)?,
            version: row.int(3)? + 1,
        })
    };
    let streams: Vec<Stream> = rows.iter().map(taken).collect::<Result<_, DbError>>()?;
    let leases = streams.iter().map(|stream| {
        let mut lease = params![until];
        lease.extend(stream_key(stream));
        lease
    });
    tx.execute_all(vec![Call::each(&LEASE, leases.collect())]).await?;
    Ok(streams)
}

fn stream_key(stream: &Stream) -> Vec<Value> {
    params![
        stream.provider.bucket().number(),
        stream.provider.stored(),
        stream.device.stored()
    ]
}

pub(super) async fn window(store: &Store, stream: Stream) -> Result<Window, DbError> {
    let reading = store.db.read_snapshot(move |tx| Box::pin(read_window(tx, stream)));
    reading.await
}

/// The cut lies before the first new tap, before the rides around it, and through none.
async fn read_window(tx: &mut Tx, stream: Stream) -> Result<Window, DbError> {
    let from = |counter: i64| {
        let mut key = stream_key(&stream);
        key.push(counter.into());
        key
    };
    let mut cut = stream.from_counter;
    for statement in [&BEFORE, &OPEN] {
        for row in tx.query(statement, from(stream.from_counter)).await? {
            cut = cut.min(row.int(0)?);
        }
    }
    while let Some(across) = tx.query_one(&ACROSS, from(cut)).await?.opt_int(0)? {
        cut = across;
    }
    let rides = tx.query(&rides::OF_DEVICE_FROM, from(cut)).await?;
    let rides: Vec<TapRide> = rides.into_iter().map(rides::ride).collect::<Result<_, DbError>>()?;
    let taps = tx.query(&TAPS, from(cut)).await?;
    Ok(Window {
        rides,
        taps: taps
            .into_iter()
            .map(|row| tap(row, &stream))
            .collect::<Result<_, DbError>>()?,
    })
}

fn tap(mut row: Row, stream: &Stream) -> Result<Tap, DbError> {
    Ok(Tap {
        id: id(&row, 0, TapId::new)?,
        provider: stream.provider,
        gate: id(&row, 1, TerminalId::new)?,
        sequence: row.int(2)?.cast_unsigned(),
        kind: parsed(&row, 3, "kind of tap", TapKind::parse)?,
        station: row.take_text(4)?,
        at: row.int(5)?,
        received_at: row.int(6)?,
        clock_fault: opt_parsed(&row, 7, "clock fault", ClockFault::parse)?,
        person: opt_id(&row, 8, PersonId::new)?,
        device: Some(stream.device),
        counter: row.int(9)?.cast_unsigned(),
        payer: parsed(&row, 10, "payer", Payer::parse)?,
        rule_digest: row.take_text(11)?,
        incomplete: row.flag(12)?,
        sound: true,
    })
}

pub(super) async fn save(
    store: &Store,
    stream: Stream,
    rides: Vec<TapRide>,
    gone: Vec<TapId>,
    next: Option<Next>,
) -> Result<Written, DbError> {
    let saving = store.db.write_with((rides, gone), move |tx, (rides, gone)| {
        Box::pin(save_all(tx, stream, rides, gone, next))
    });
    saving.await
}

async fn save_all(
    tx: &mut Tx,
    stream: Stream,
    rides: &[TapRide],
    gone: &[TapId],
    next: Option<Next>,
) -> Result<Written, DbError> {
    let locked = tx.query_opt(&LOCK, stream_key(&stream)).await?;
    if locked.map(|row| row.int(0)).transpose()? != Some(stream.version) {
        return Ok(Written::Moved);
    }
    let removed = gone.iter().map(|tap| params![tap.bucket().number(), tap.stored()]);
    let end = match next {
        None => Call::one(&DONE, stream_key(&stream)),
        Some(next) => {
            let mut values = params![next.from_counter, next.due_at];
            values.extend(stream_key(&stream));
            Call::one(&WAIT, values)
        }
    };
    let calls = vec![
        Call::each(&rides::REMOVE, removed.collect()),
        Call::each(&rides::PUT, rides.iter().map(rides::values).collect()),
        end,
    ];
    tx.execute_all(calls).await?;
    Ok(Written::Yes)
}
