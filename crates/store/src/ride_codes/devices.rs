//! Devices and the deny list.

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{PersonId, RideDeviceId};
use onescan_gate::keys::{Algorithm, Fingerprint};
use onescan_platforms::ride_codes::{Denied, DenyReason, RideDevice};

use super::fingerprint;
use crate::decode::{id, parsed};
use crate::error::DbError;
use crate::sql::Row;
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

macro_rules! device_columns {
    () => {
        "id, person_id, name, algorithm, public_key, fingerprint, entitled_until, created_at, revoked_at"
    };
}

statements! {
    INSERT_DEVICE = "insert into ride_devices (bucket, id, person_id, name, algorithm, public_key, fingerprint,
            entitled_until, created_at, revoked_at)
        values (:bucket, :id::text, :person::text, :name::text, :algorithm::text, :public_key::bytea,
            :fingerprint::text, :entitled_until, :created_at, :revoked_at)";
    INSERT_PRINT = "insert into ride_device_prints (bucket, fingerprint, device_id, person_id)
        values (:bucket, :fingerprint::text, :device::text, :person::text)
        on conflict (bucket, fingerprint) do nothing";
    FIND_DEVICE = concat!(
        "select ", device_columns!(), " from ride_devices where bucket = :bucket and id = :id::text"
    );
    LIST_DEVICES = concat!(
        "select ", device_columns!(), " from ride_devices
            where bucket = :bucket and person_id = :person::text order by id"
    );
    ENTITLE = "update ride_devices set entitled_until =
            case when entitled_until < :until then :until else entitled_until end
        where bucket = :bucket and id = :id::text and revoked_at is null";
    REVOKE = "update ride_devices set revoked_at = :at
        where bucket = :bucket and id = :id::text and revoked_at is null";
    DENY_DEVICE = "insert into ride_denials
            (bucket, device_id, fingerprint, reason, changed_at, lifted, until_at)
        select bucket, id, fingerprint, :reason::text, :at, 0, entitled_until from ride_devices
            where bucket = :bucket and id = :id::text and entitled_until > :at
        on conflict (bucket, device_id) do update set reason = excluded.reason, changed_at = excluded.changed_at,
            lifted = 0, until_at = excluded.until_at";
    DENY_PERSON = "insert into ride_denials
            (bucket, device_id, fingerprint, reason, changed_at, lifted, until_at)
        select bucket, id, fingerprint, :reason::text, :at, 0, entitled_until from ride_devices
            where bucket = :bucket and person_id = :person::text and entitled_until > :at and revoked_at is null
        on conflict (bucket, device_id) do update set reason = excluded.reason, changed_at = excluded.changed_at,
            lifted = 0, until_at = excluded.until_at";
    ALLOW_PERSON = "update ride_denials set lifted = 1, changed_at = :at
        where bucket = :bucket and reason = :reason::text and lifted = 0 and device_id in (
            select id from ride_devices where bucket = :bucket and person_id = :person::text)";
    LAST_CHANGE_ALL_BUCKETS = "select coalesce(max(changed_at), 0) from ride_denials";
    DENIED_ALL_BUCKETS = "select fingerprint, lifted from ride_denials where until_at > :now and lifted = 0";
    CHANGED_ALL_BUCKETS = "select fingerprint, lifted from ride_denials where changed_at > :since and until_at > :now";
    FIND_PRINT = "select device_id, person_id from ride_device_prints
        where bucket = :bucket and fingerprint = :fingerprint::text";
}

/// The name under which a known key is refused.
const PRINTS: &str = "ride_device_prints";

pub(super) async fn insert(store: &Store, device: &RideDevice, print: Bucket) -> Result<(), DbError> {
    let input = (device.clone(), print);
    let inserting = store.db.write_with(input, |tx, (device, print)| {
        let row = params![
            device.id.bucket().number(),
            device.id.stored(),
            device.person.stored(),
            &device.name,
            device.algorithm.name(),
            device.public_key.as_slice(),
            device.fingerprint.hex(),
            device.entitled_until,
            device.created_at,
            device.revoked_at
        ];
        let print = params![
            print.number(),
            device.fingerprint.hex(),
            device.id.stored(),
            device.person.stored()
        ];
        Box::pin(async move {
            if tx.execute(&INSERT_PRINT, print).await? == 0 {
                return Ok(false);
            }
            tx.execute_one(&INSERT_DEVICE, row).await?;
            Ok::<_, DbError>(true)
        })
    });
    match inserting.await? {
        true => Ok(()),
        false => Err(DbError::Unique {
            constraint: PRINTS.to_owned(),
        }),
    }
}

pub(super) async fn find(store: &Store, id: RideDeviceId) -> Result<Option<RideDevice>, DbError> {
    let key = params![id.bucket().number(), id.stored()];
    store.db.query_opt(&FIND_DEVICE, key).await?.map(device).transpose()
}

pub(super) async fn list(store: &Store, person: PersonId) -> Result<Vec<RideDevice>, DbError> {
    let key = params![person.bucket().number(), person.stored()];
    let rows = store.db.query(&LIST_DEVICES, key).await?;
    rows.into_iter().map(device).collect()
}

pub(super) async fn entitle(store: &Store, id: RideDeviceId, until: i64) -> Result<bool, DbError> {
    let row = params![until, id.bucket().number(), id.stored()];
    Ok(store.change(&ENTITLE, row).await? == 1)
}

pub(super) async fn revoke(store: &Store, id: RideDeviceId, at: i64) -> Result<bool, DbError> {
    let revoking = store.db.write(move |tx| {
        let (bucket, id) = (id.bucket().number(), id.stored());
        let revoke = params![at, bucket, &id];
        let deny = params![DenyReason::Revoked.name(), at, bucket, &id];
        Box::pin(async move {
            if tx.execute(&REVOKE, revoke).await? == 0 {
                return Ok(false);
            }
            tx.execute(&DENY_DEVICE, deny).await?;
            Ok::<_, DbError>(true)
        })
    });
    revoking.await
}

pub(super) async fn deny_person(store: &Store, person: PersonId, reason: DenyReason, at: i64) -> Result<(), DbError> {
    let row = params![reason.name(), at, person.bucket().number(), person.stored()];
    store.change(&DENY_PERSON, row).await.map(drop)
}

pub(super) async fn allow_person(store: &Store, person: PersonId, reason: DenyReason, at: i64) -> Result<(), DbError> {
    let row = params![at, person.bucket().number(), reason.name(), person.stored()];
    store.change(&ALLOW_PERSON, row).await.map(drop)
}

/// The last change is read first: what is committed meanwhile is told again with the next version.
pub(super) async fn denied(store: &Store, since: Option<i64>, now: i64) -> Result<Denied, DbError> {
    let reading = store.db.read_long(move |tx| Box::pin(read_denied(tx, since, now)));
    reading.await
}

async fn read_denied(tx: &mut Tx, since: Option<i64>, now: i64) -> Result<Denied, DbError> {
    let changed_at = tx.query_one(&LAST_CHANGE_ALL_BUCKETS, params![]).await?.int(0)?;
    let rows = match since {
        None => tx.query(&DENIED_ALL_BUCKETS, params![now]).await?,
        Some(since) => tx.query(&CHANGED_ALL_BUCKETS, params![since, now]).await?,
    };
    let mut denied = Denied {
        changed_at,
        ..Denied::default()
    };
    for row in rows {
        let device = fingerprint(&row, 0)?;
        match row.flag(1)? {
            true => denied.removed.push(device),
            false => denied.added.push(device),
        }
    }
    Ok(denied)
}

pub(super) async fn find_prints(
    store: &Store,
    prints: &[(Bucket, Fingerprint)],
) -> Result<Vec<Option<(RideDeviceId, PersonId)>>, DbError> {
    let keys = prints
        .iter()
        .map(|(bucket, print)| params![bucket.number(), print.hex()]);
    let call = Call::each(&FIND_PRINT, keys.collect());
    let reading = store
        .db
        .read(|tx| Box::pin(async move { tx.query_all(vec![call]).await }));
    let found = reading.await?.pop().unwrap_or_default();
    let found = found
        .into_iter()
        .map(|mut rows| rows.pop().map(|row| print(&row)).transpose());
    found.collect()
}

fn print(row: &Row) -> Result<(RideDeviceId, PersonId), DbError> {
    Ok((id(row, 0, RideDeviceId::new)?, id(row, 1, PersonId::new)?))
}

fn device(mut row: Row) -> Result<RideDevice, DbError> {
    Ok(RideDevice {
        id: id(&row, 0, RideDeviceId::new)?,
        person: id(&row, 1, PersonId::new)?,
        name: row.take_text(2)?,
        algorithm: parsed(&row, 3, "algorithm", Algorithm::parse)?,
        public_key: row.bytes(4)?.to_vec(),
        fingerprint: fingerprint(&row, 5)?,
        entitled_until: row.int(6)?,
        created_at: row.int(7)?,
        revoked_at: row.opt_int(8)?,
    })
}
