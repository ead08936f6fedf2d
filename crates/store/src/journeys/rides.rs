//! Rides as their taps were matched.

use onescan_domain::ids::{ConsultationId, MerchantId, PersonId, RideDeviceId, RideOrderId, TapId, TerminalId};
use onescan_domain::rides::matching::{Journey, MatchedRide, RideEnd};
use onescan_domain::rides::tap::ClockFault;
use onescan_platforms::journeys::{TapRide, TapRideProblem, TapRideState};
use onescan_platforms::payments::Page;

use super::feeds::opt_money;
use crate::decode::{id, opt_id, opt_parsed, parsed, wrong};
use crate::error::DbError;
use crate::ledger::LAST_ID;
use crate::sql::{Row, Value};
use crate::{Store, params, statements};

macro_rules! ride_columns {
    () => {
        "id, provider_id, device_id, person_id, journey, first_counter, last_counter, start_tap, start_gate, start_station, \
         start_at, start_fault, end_tap, end_gate, end_station, end_at, end_fault, repeats, code_seen_twice, state, \
         number_tap, attempt, fare_minor, fare_currency, line, consultation_id, order_id, into_id, problem, created_at, changed_at"
    };
}

macro_rules! select_rides {
    () => {
        concat!("select ", ride_columns!(), " from tap_rides ")
    };
}

statements! {
    pub(super) PUT = concat!(
        "insert into tap_rides (bucket, ", ride_columns!(), ") values (:bucket, :id::text, :provider::text, \
         :device::text, :person::text, :journey::text, :first, :last, :start_tap::text, :start_gate::text, \
         :start_station::text, :start_at, :start_fault::text, :end_tap::text, :end_gate::text, :end_station::text, \
         :end_at, :end_fault::text, :repeats::text, :twice, :state::text, :number::text, :attempt, :fare, :currency::text, \
         :line::text, :consultation::text, :order::text, :into::text, :problem::text, :created_at, :changed_at) \
         on conflict (bucket, id) do update set journey = excluded.journey, first_counter = excluded.first_counter, \
         last_counter = excluded.last_counter, start_tap = excluded.start_tap, start_gate = excluded.start_gate, \
         start_station = excluded.start_station, start_at = excluded.start_at, start_fault = excluded.start_fault, \
         end_tap = excluded.end_tap, end_gate = excluded.end_gate, end_station = excluded.end_station, \
         end_at = excluded.end_at, end_fault = excluded.end_fault, repeats = excluded.repeats, \
         code_seen_twice = excluded.code_seen_twice, state = excluded.state, number_tap = excluded.number_tap, attempt = excluded.attempt, \
         fare_minor = excluded.fare_minor, fare_currency = excluded.fare_currency, line = excluded.line, \
         consultation_id = excluded.consultation_id, order_id = excluded.order_id, into_id = excluded.into_id, \
         problem = excluded.problem, changed_at = excluded.changed_at"
    );
    pub(super) REMOVE = "delete from tap_rides where bucket = :bucket and id = :id::text";
    /// Withdrawn rides have no taps any more.
    pub(super) OF_DEVICE_FROM = concat!(
        select_rides!(), "where bucket = :bucket and provider_id = :provider::text and device_id = :device::text
            and last_counter >= :from and state <> 'withdrawn' order by first_counter, id"
    );
    LIST = concat!(
        select_rides!(), "where bucket = :bucket and provider_id = :provider::text and id < :after::text
            order by id desc limit :limit"
    );
    LIST_IN_STATE = concat!(
        select_rides!(), "where bucket = :bucket and provider_id = :provider::text and state = :state::text
            and id < :after::text order by id desc limit :limit"
    );
    UNDER_WAY_ALL_BUCKETS = concat!(
        select_rides!(), "where person_id = :person::text and order_id is null order by id desc limit :limit"
    );
}

const JOURNEYS: [(Journey, &str); 5] = [
    (Journey::Open, "open"),
    (Journey::Complete, "complete"),
    (Journey::Single, "single"),
    (Journey::NoExit, "no-exit"),
    (Journey::NoEntry, "no-entry"),
];

pub(super) async fn list(
    store: &Store,
    provider: MerchantId,
    state: Option<TapRideState>,
    page: &Page,
) -> Result<Vec<TapRide>, DbError> {
    let after = page.after.as_deref().unwrap_or(LAST_ID);
    let (bucket, id) = (provider.bucket().number(), provider.stored());
    let rows = match state {
        None => store.list_long(&LIST, params![bucket, id, after, page.limit]).await?,
        Some(state) => {
            let key = params![bucket, id, state.name(), after, page.limit];
            store.list_long(&LIST_IN_STATE, key).await?
        }
    };
    rows.into_iter().map(ride).collect()
}

pub(super) async fn under_way(store: &Store, person: PersonId, limit: u32) -> Result<Vec<TapRide>, DbError> {
    let rows = store
        .db
        .query(&UNDER_WAY_ALL_BUCKETS, params![person.stored(), limit])
        .await?;
    rows.into_iter().map(ride).collect()
}

pub(super) fn values(ride: &TapRide) -> Vec<Value> {
    let journey = JOURNEYS.iter().find(|(journey, _)| *journey == ride.ride.journey);
    let repeats: Vec<String> = ride.ride.repeats.iter().map(|tap| tap.stored()).collect();
    let mut values = params![
        ride.ride.key.bucket().number(),
        ride.ride.key.stored(),
        ride.ride.provider.stored(),
        ride.device.stored(),
        ride.person.stored(),
        journey.map_or("", |(_, name)| *name),
        ride.counters.0,
        ride.counters.1
    ];
    values.extend(end_values(&ride.ride.start));
    values.extend(end_values(&ride.ride.end));
    values.extend(params![
        repeats.join(" "),
        ride.ride.code_seen_twice,
        ride.state.name(),
        ride.number.stored(),
        ride.attempt,
        ride.fare.map(|fare| fare.minor),
        ride.fare.map(|fare| fare.currency.to_string()),
        &ride.line,
        ride.consultation.map(ConsultationId::stored),
        ride.order.map(RideOrderId::stored),
        ride.into.map(TapId::stored),
        ride.problem.map(TapRideProblem::name),
        ride.created_at,
        ride.changed_at
    ]);
    values
}

fn end_values(end: &Option<RideEnd>) -> Vec<Value> {
    let end = end.as_ref();
    params![
        end.map(|end| end.tap.stored()),
        end.map(|end| end.gate.stored()),
        end.map(|end| end.station.as_str()),
        end.map(|end| end.at),
        end.and_then(|end| end.clock_fault).map(ClockFault::name)
    ]
}

fn read_end(row: &Row, column: usize) -> Result<Option<RideEnd>, DbError> {
    let Some(tap) = opt_id(row, column, TapId::new)? else {
        return Ok(None);
    };
    Ok(Some(RideEnd {
        tap,
        gate: id(row, column + 1, TerminalId::new)?,
        station: row.text(column + 2)?.to_owned(),
        at: row.int(column + 3)?,
        clock_fault: opt_parsed(row, column + 4, "clock fault", ClockFault::parse)?,
    }))
}

pub(super) fn ride(mut row: Row) -> Result<TapRide, DbError> {
    let repeats = row.text(17)?.split_whitespace().map(TapId::from_stored);
    let repeats = repeats.collect::<Result<Vec<_>, _>>().map_err(|_| wrong(17, "ids"))?;
    let journey = |name: &str| {
        JOURNEYS
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(journey, _)| *journey)
    };
    let person = id(&row, 3, PersonId::new)?;
    let device = id(&row, 2, RideDeviceId::new)?;
    Ok(TapRide {
        ride: MatchedRide {
            key: id(&row, 0, TapId::new)?,
            provider: id(&row, 1, MerchantId::new)?,
            person: Some(person),
            device: Some(device),
            journey: parsed(&row, 4, "journey", journey)?,
            start: read_end(&row, 7)?,
            end: read_end(&row, 12)?,
            repeats,
            code_seen_twice: row.flag(18)?,
        },
        person,
        device,
        counters: (row.int(5)?, row.int(6)?),
        state: parsed(&row, 19, "state of a tapped ride", TapRideState::parse)?,
        number: id(&row, 20, TapId::new)?,
        attempt: row.int(21)?,
        fare: opt_money(&row, 22)?,
        line: row.take_text(24)?,
        consultation: opt_id(&row, 25, ConsultationId::new)?,
        order: opt_id(&row, 26, RideOrderId::new)?,
        into: opt_id(&row, 27, TapId::new)?,
        problem: opt_parsed(&row, 28, "problem", TapRideProblem::parse)?,
        created_at: row.int(29)?,
        changed_at: row.int(30)?,
    })
}
