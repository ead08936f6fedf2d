//! Feeds and set-ups of providers.

use onescan_domain::ids::{FeedId, MerchantId};
use onescan_domain::money::Money;
use onescan_platforms::journeys::{RideFeed, RideSetup};

use super::work::requeue;
use crate::decode::{id, money};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::{Store, params, statements};

macro_rules! feed_columns {
    () => {
        "id, provider_id, name, stops, lines, trips, fares, hash, active, created_at"
    };
}

statements! {
    INSERT = concat!(
        "insert into ride_feeds (bucket, ", feed_columns!(), ", content) values (:bucket, :id::text, :provider::text, \
         :name::text, :stops, :lines, :trips, :fares, :hash::text, 0, :created_at, :content::bytea)"
    );
    FIND = concat!("select ", feed_columns!(), " from ride_feeds where bucket = :bucket and id = :id::text");
    CONTENT = "select content from ride_feeds where bucket = :bucket and id = :id::text";
    LIST = concat!(
        "select ", feed_columns!(), " from ride_feeds
         where bucket = :bucket and provider_id = :provider::text order by id desc"
    );
    ACTIVE_ALL_BUCKETS = concat!(
        "select ", feed_columns!(), " from ride_feeds where active = 1 order by id limit :limit"
    );
    REST = "update ride_feeds set active = 0 where bucket = :bucket and provider_id = :provider::text and active = 1";
    USE = "update ride_feeds set active = 1 where bucket = :bucket and id = :id::text";
    DELETE = "delete from ride_feeds where bucket = :bucket and id = :id::text and active = 0";
    FIND_SETUP =
        "select travel_type, city, single_minor, single_currency, maximum_minor, maximum_currency, journey_max_ms,
            late_ms, changed_at
         from ride_setups where bucket = :bucket and provider_id = :provider::text";
    PUT_SETUP =
        "insert into ride_setups (bucket, provider_id, travel_type, city, single_minor, single_currency, maximum_minor,
            maximum_currency, journey_max_ms, late_ms, changed_at)
         values (:bucket, :provider::text, :travel_type::text, :city::text, :single, :single_currency::text, :maximum,
            :maximum_currency::text, :journey_max_ms, :late_ms, :changed_at)
         on conflict (bucket, provider_id) do update set travel_type = excluded.travel_type, city = excluded.city,
            single_minor = excluded.single_minor, single_currency = excluded.single_currency,
            maximum_minor = excluded.maximum_minor, maximum_currency = excluded.maximum_currency,
            journey_max_ms = excluded.journey_max_ms, late_ms = excluded.late_ms, changed_at = excluded.changed_at";
}

pub(super) async fn insert(store: &Store, feed: &RideFeed, content: Vec<u8>) -> Result<(), DbError> {
    let row = params![
        feed.provider.bucket().number(),
        feed.id.stored(),
        feed.provider.stored(),
        &feed.name,
        feed.stops,
        feed.lines,
        feed.trips,
        feed.fares,
        &feed.hash,
        feed.created_at,
        content.as_slice()
    ];
    store.change_one(&INSERT, row).await
}

fn feed_key(id: FeedId) -> Vec<Value> {
    params![id.bucket().number(), id.stored()]
}

fn provider_key(provider: MerchantId) -> Vec<Value> {
    params![provider.bucket().number(), provider.stored()]
}

pub(super) async fn find(store: &Store, id: FeedId) -> Result<Option<RideFeed>, DbError> {
    let row = store.db.query_opt(&FIND, feed_key(id)).await?;
    row.map(feed).transpose()
}

pub(super) async fn content(store: &Store, id: FeedId) -> Result<Option<Vec<u8>>, DbError> {
    let mut rows = store.list_long(&CONTENT, feed_key(id)).await?;
    rows.pop().map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()
}

pub(super) async fn list(store: &Store, provider: MerchantId) -> Result<Vec<RideFeed>, DbError> {
    let rows = store.db.query(&LIST, provider_key(provider)).await?;
    rows.into_iter().map(feed).collect()
}

pub(super) async fn active(store: &Store, limit: u32) -> Result<Vec<RideFeed>, DbError> {
    let rows = store.db.query(&ACTIVE_ALL_BUCKETS, params![limit]).await?;
    rows.into_iter().map(feed).collect()
}

pub(super) async fn activate(store: &Store, feed: &RideFeed, at: i64) -> Result<(), DbError> {
    let activating = store
        .db
        .write_with((feed.id, feed.provider), move |tx, (id, provider)| {
            let (id, provider) = (*id, *provider);
            Box::pin(async move {
                tx.execute(&REST, provider_key(provider)).await?;
                tx.execute_one(&USE, feed_key(id)).await?;
                requeue(tx, provider, at).await
            })
        });
    activating.await
}

pub(super) async fn delete(store: &Store, id: FeedId) -> Result<bool, DbError> {
    Ok(store.change(&DELETE, feed_key(id)).await? > 0)
}

fn feed(mut row: Row) -> Result<RideFeed, DbError> {
    Ok(RideFeed {
        id: id(&row, 0, FeedId::new)?,
        provider: id(&row, 1, MerchantId::new)?,
        name: row.take_text(2)?,
        stops: row.int(3)?,
        lines: row.int(4)?,
        trips: row.int(5)?,
        fares: row.int(6)?,
        hash: row.take_text(7)?,
        active: row.flag(8)?,
        created_at: row.int(9)?,
    })
}

pub(super) async fn find_setup(store: &Store, provider: MerchantId) -> Result<Option<RideSetup>, DbError> {
    let row = store.db.query_opt(&FIND_SETUP, provider_key(provider)).await?;
    let read = |mut row: Row| {
        Ok(RideSetup {
            provider,
            travel_type: row.take_text(0)?,
            city: row.take_text(1)?,
            single_fare: opt_money(&row, 2)?,
            maximum_fare: opt_money(&row, 4)?,
            journey_max_ms: row.int(6)?,
            late_ms: row.int(7)?,
            changed_at: row.int(8)?,
        })
    };
    row.map(read).transpose()
}

/// An amount and, in the column after it, its currency.
pub(super) fn opt_money(row: &Row, column: usize) -> Result<Option<Money>, DbError> {
    match row.opt_int(column)? {
        Some(_) => money(row, column, column + 1).map(Some),
        None => Ok(None),
    }
}

pub(super) async fn put_setup(store: &Store, setup: &RideSetup) -> Result<(), DbError> {
    let minor = |fare: Option<Money>| fare.map(|fare| fare.minor);
    let currency = |fare: Option<Money>| fare.map(|fare| fare.currency.to_string());
    let row = params![
        setup.provider.bucket().number(),
        setup.provider.stored(),
        &setup.travel_type,
        &setup.city,
        minor(setup.single_fare),
        currency(setup.single_fare),
        minor(setup.maximum_fare),
        currency(setup.maximum_fare),
        setup.journey_max_ms,
        setup.late_ms,
        setup.changed_at
    ];
    let (provider, at) = (setup.provider, setup.changed_at);
    let putting = store.db.write_with(row, move |tx, row| {
        let row = row.clone();
        Box::pin(async move {
            tx.execute_one(&PUT_SETUP, row).await?;
            requeue(tx, provider, at).await
        })
    });
    putting.await
}
