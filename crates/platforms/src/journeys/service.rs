//! The work on streams of taps, and what providers and people see of it.

use std::collections::HashMap;
use std::sync::Arc;

use onescan_domain::ids::{MerchantId, PersonId, RideOrderId, TapId};
use onescan_domain::merchants::Merchant;
use onescan_domain::money::Money;
use onescan_domain::rides::order::{RideOrder, RideState};
use onescan_domain::text;
use tokio::task::JoinSet;

use super::pricing::Pricing;
use super::reconcile::{next, reconcile};
use super::{Feeds, JourneyStore, RideSetup, SetupRefusal, Stream, TapRide, TapRideProblem, TapRideState};
use crate::env::{Env, fingerprint};
use crate::error::{PlatformError, Result};
use crate::merchants::Merchants;
use crate::payments::{Idempotency, Page};
use crate::rides::{ConsultRequest, NewRide, RefundRefusal, RideRefusal, Rides, Written};

/// A stream that was taken and not finished is taken again after this.
const LEASE_MS: i64 = 60_000;
/// What could not be done now is tried again after this.
const RETRY_MS: i64 = 30_000;
/// Streams that are worked on at once, so that their payments meet in batches.
const AT_ONCE: usize = 64;
const MINUTE_MS: i64 = 60_000;
/// A day; a week.
const JOURNEY_MAX_MINUTES: i64 = 1_440;
const LATE_MAX_MINUTES: i64 = 10_080;

/// What journeys are joined from.
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct JourneyParts {
    pub rides: Rides,
    pub merchants: Merchants,
    pub feeds: Feeds,
}

#[derive(Clone)]
pub struct Journeys {
    env: Env,
    store: Arc<dyn JourneyStore>,
    pub feeds: Feeds,
    rides: Rides,
    merchants: Merchants,
}

impl std::fmt::Debug for Journeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journeys").finish_non_exhaustive()
    }
}

/// Which ride of a stream an order is of.
struct Held(HashMap<RideOrderId, TapId>);

impl Held {
    fn of(rides: &[TapRide]) -> Self {
        Self(
            rides
                .iter()
                .filter_map(|ride| Some((ride.order?, ride.ride.key)))
                .collect(),
        )
    }

    /// Whether the order is this ride's, now or from now on.
    fn takes(&mut self, order: RideOrderId, ride: TapId) -> bool {
        *self.0.entry(order).or_insert(ride) == ride
    }
}

/// Where an order stands to a fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    There,
    Not(TapRideProblem),
    /// It was too cheap and is given back.
    Withdrawn,
}

/// What all rides of one stream share.
struct Desk<'d> {
    provider: &'d Merchant,
    pricing: Pricing<'d>,
}

impl Journeys {
    pub fn new(env: Env, store: Arc<dyn JourneyStore>, parts: JourneyParts) -> Self {
        Self {
            feeds: parts.feeds,
            env,
            store,
            rides: parts.rides,
            merchants: parts.merchants,
        }
    }

    /// Matches what is due, at most `limit` streams, and makes the orders; returns how many streams it took. What fails is
    /// logged and taken again later, here or on another server.
    pub async fn work(&self, limit: u32) -> Result<u64> {
        let now = self.env.now_ms();
        let streams = self.store.take_streams(now, now + LEASE_MS, limit).await?;
        let taken = streams.len() as u64;
        let mut streams = streams.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(stream) = streams.next()
            {
                let journeys = self.clone();
                running.spawn(async move { journeys.work_on(stream).await });
            }
            match running.join_next().await {
                None => return Ok(taken),
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => tracing::warn!(%error, "a stream of taps is worked on again later"),
                Some(Err(error)) => tracing::error!(%error, "the work on a stream of taps broke off"),
            }
        }
    }

    /// One device at one provider: matches, orders, corrects, and writes all of it in one commit. Where more taps came
    /// meanwhile nothing is written; orders made before are found again by their numbers.
    async fn work_on(&self, stream: Stream) -> Result<()> {
        let now = self.env.now_ms();
        let provider = self.merchants.find(stream.provider).await?;
        let provider = provider.ok_or_else(|| PlatformError::internal("taps name a provider that is not there"))?;
        let setup = self.setup(stream.provider).await?;
        let network = self.feeds.network(stream.provider).await?;
        let desk = Desk {
            provider: &provider,
            pricing: Pricing {
                setup: &setup,
                network: network.as_deref(),
            },
        };
        let window = self.store.window(&stream).await?;
        let before = window.rides.clone();
        let mut plan = reconcile(&window, &setup, now);
        let mut held = Held::of(&plan.rides);
        for ride in &mut plan.rides {
            if let Err(error) = self.advance(ride, &desk, &mut held).await {
                tracing::warn!(%error, "a ride is worked on again later");
            }
        }
        let next = next(&plan.rides, &setup, now + RETRY_MS);
        plan.rides.retain(|ride| !before.contains(ride));
        // Moved: more taps came, and the stream is due with them.
        let (Written::Yes | Written::Moved) = self.store.save(&stream, plan.rides, plan.gone, next).await?;
        Ok(())
    }

    /// The next step of a ride. What stands when it fails is as before, or nearer.
    async fn advance(&self, ride: &mut TapRide, desk: &Desk<'_>, held: &mut Held) -> Result<()> {
        match ride.state {
            TapRideState::Open if ride.consultation.is_none() => self.consult(ride, desk).await,
            TapRideState::Due | TapRideState::Unpriced => self.order(ride, desk, held).await,
            TapRideState::Withdrawing => self.give_back(ride, desk).await,
            TapRideState::Open
            | TapRideState::Waiting
            | TapRideState::Ordered
            | TapRideState::Free
            | TapRideState::Withdrawn => Ok(()),
        }
    }

    /// Asks at the entry, so that a form for one ride is held for this one. Rows R03, R05.
    async fn consult(&self, ride: &mut TapRide, desk: &Desk<'_>) -> Result<()> {
        let request = ConsultRequest {
            person: ride.person,
            travel_type: desk.pricing.setup.travel_type.clone(),
            start_at: ride.ride.start.as_ref().map_or(ride.created_at, |start| start.at),
            city: desk.pricing.setup.city.clone(),
        };
        let key = ride.number.raw();
        if let Ok(answer) = self.rides.consult_once(desk.provider.id, request, key).await? {
            ride.consultation = Some(answer.id);
        }
        Ok(())
    }

    /// Makes the ride's order, or brings the one it has to the fare; one that is too cheap is given back and made anew.
    async fn order(&self, ride: &mut TapRide, desk: &Desk<'_>, held: &mut Held) -> Result<()> {
        let Some(quote) = desk.pricing.quote(&ride.ride) else {
            return self.leave(ride, TapRideState::Unpriced, Some(TapRideProblem::NoFare));
        };
        ride.fare = Some(quote.price);
        ride.line = desk.pricing.line(&quote.line);
        loop {
            match ride.order {
                None if quote.price.minor == 0 => return self.leave(ride, TapRideState::Free, None),
                None => match self.take(ride, quote.price, desk).await? {
                    // A tap that another ride was first told of: that order is the other's.
                    Ok(order) if !held.takes(order, ride.ride.key) => ride.attempt += 1,
                    Ok(order) => ride.order = Some(order),
                    Err(problem) => return self.leave(ride, TapRideState::Unpriced, Some(problem)),
                },
                Some(order) => match self.bring_to(order, quote.price, desk.provider.id).await? {
                    Brought::There => return self.leave(ride, TapRideState::Ordered, None),
                    Brought::Not(problem) => return self.leave(ride, TapRideState::Ordered, Some(problem)),
                    Brought::Withdrawn => {
                        ride.order = None;
                        ride.attempt += 1;
                    }
                },
            }
        }
    }

    fn leave(&self, ride: &mut TapRide, state: TapRideState, problem: Option<TapRideProblem>) -> Result<()> {
        if ride.state != state || ride.problem != problem {
            (ride.state, ride.problem) = (state, problem);
            ride.changed_at = self.env.now_ms();
        }
        Ok(())
    }

    /// The order of the ride's number: the same tap, the same number, whatever was lost on the way.
    async fn take(
        &self,
        ride: &TapRide,
        amount: Money,
        desk: &Desk<'_>,
    ) -> Result<Result<RideOrderId, TapRideProblem>> {
        let mut new = NewRide {
            number: ride.order_number(),
            person: ride.person,
            travel_type: desk.pricing.setup.travel_type.clone(),
            amount,
            details: desk.pricing.details(&ride.ride, &ride.line),
            consultation: ride.consultation,
        };
        let mut told = self.rides.take(desk.provider, new.clone()).await?;
        if matches!(told, Err(RideRefusal::UnknownConsultation)) {
            new.consultation = None;
            told = self.rides.take(desk.provider, new).await?;
        }
        match told {
            Ok(taken) => Ok(Ok(taken.order.id)),
            // Told before with fewer taps, and the answer was lost: it is brought to the fare.
            Err(RideRefusal::Conflict { order }) => Ok(Ok(order)),
            Err(RideRefusal::UnknownPerson) => Ok(Err(TapRideProblem::UnknownPerson)),
            Err(refusal @ (RideRefusal::Times | RideRefusal::UnknownConsultation)) => {
                Err(PlatformError::internal(refusal))
            }
        }
    }

    /// Gives back what the order is above `fare`, or all of it where that is too little: first what is owed, then what was paid.
    async fn bring_to(&self, id: RideOrderId, fare: Money, provider: MerchantId) -> Result<Brought> {
        let order = self.settled(id).await?;
        let left = order.amount.minor - order.refunded_minor;
        let enough = fare.currency == order.amount.currency && fare.minor <= left;
        Ok(match enough {
            true => match self.reduce(order, provider, left - fare.minor).await? {
                None => Brought::There,
                Some(problem) => Brought::Not(problem),
            },
            false => match self.withdraw(order, provider).await? {
                None => Brought::Withdrawn,
                Some(problem) => Brought::Not(problem),
            },
        })
    }

    /// Takes `minor` off the order: off the debt as far as there is one, the rest is refunded.
    async fn reduce(&self, order: RideOrder, provider: MerchantId, minor: i64) -> Result<Option<TapRideProblem>> {
        let owed = match &order.state {
            RideState::Settled(result) => result.arrears_minor,
            RideState::Paying => 0,
        };
        let before = order.refunded_minor;
        let order = match owed.min(minor) {
            0 => order,
            debt => self.rides.lower_debt(order, debt).await?,
        };
        self.refund(&order, provider, minor - (order.refunded_minor - before))
            .await
    }

    async fn give_back(&self, ride: &mut TapRide, desk: &Desk<'_>) -> Result<()> {
        let mut problem = None;
        if let Some(id) = ride.order {
            let order = self.settled(id).await?;
            problem = self.withdraw(order, desk.provider.id).await?;
        }
        self.leave(ride, TapRideState::Withdrawn, problem)
    }

    /// Gives all of the order back, and its form the ride: it was another ride's.
    async fn withdraw(&self, order: RideOrder, provider: MerchantId) -> Result<Option<TapRideProblem>> {
        let left = order.amount.minor - order.refunded_minor;
        let problem = self.reduce(order.clone(), provider, left).await?;
        if problem.is_none() && left > 0 {
            self.rides.free_form(&order).await?;
        }
        Ok(problem)
    }

    async fn settled(&self, id: RideOrderId) -> Result<RideOrder> {
        let order = self.rides.order(id).await?;
        let order = order.ok_or_else(|| PlatformError::internal("a tapped ride names an order that is not there"))?;
        match order.state {
            RideState::Settled(_) => Ok(order),
            RideState::Paying => Err(PlatformError::UnknownOutcome),
        }
    }

    /// `minor`: 0 for nothing. The number follows from what was given back before, so that a repeat is known.
    async fn refund(&self, order: &RideOrder, provider: MerchantId, minor: i64) -> Result<Option<TapRideProblem>> {
        if minor == 0 {
            return Ok(None);
        }
        let number = format!("taps-{}-{minor}", order.refunded_minor);
        let idempotency = Idempotency {
            caller: provider.stored(),
            key: format!("{}/{number}", order.id),
            fingerprint: fingerprint(&[number.as_bytes()]),
        };
        let amount = Money::new(minor, order.amount.currency);
        match self
            .rides
            .refund(provider, order.id, &number, amount, idempotency)
            .await?
        {
            Ok(_) => Ok(None),
            Err(RefundRefusal::TooMuch { left }) if left.minor > 0 => {
                // A part is owed and not paid: what was paid goes back.
                Box::pin(self.refund(order, provider, left.minor)).await?;
                Ok(Some(TapRideProblem::Owed))
            }
            Err(RefundRefusal::TooMuch { .. }) => Ok(Some(TapRideProblem::Owed)),
            Err(
                refusal @ (RefundRefusal::Unknown
                | RefundRefusal::State { .. }
                | RefundRefusal::Currency
                | RefundRefusal::NumberConflict),
            ) => Err(PlatformError::internal(refusal)),
        }
    }

    /// As the provider set it up, else the usual.
    pub async fn setup(&self, provider: MerchantId) -> Result<RideSetup> {
        let found = self.store.find_setup(provider).await?;
        Ok(found.unwrap_or_else(|| RideSetup::of(provider)))
    }

    /// Holds for rides that are priced from now on; rides without a fare are priced again.
    pub async fn put_setup(&self, mut setup: RideSetup) -> Result<Result<RideSetup, SetupRefusal>> {
        setup.travel_type = match text::line(&setup.travel_type, 40) {
            Ok(code) => code,
            Err(error) => {
                return Ok(Err(SetupRefusal::Text {
                    field: "travel_type",
                    error,
                }));
            }
        };
        setup.city = match text::optional_line(Some(&setup.city), 64) {
            Ok(city) => city.unwrap_or_default(),
            Err(error) => return Ok(Err(SetupRefusal::Text { field: "city", error })),
        };
        for (field, fare) in [("single_fare", setup.single_fare), ("maximum_fare", setup.maximum_fare)] {
            if fare.is_some_and(|fare| fare.minor < 1) {
                return Ok(Err(SetupRefusal::Fare { field }));
            }
        }
        let spans = [
            ("journey_max_minutes", setup.journey_max_ms, 1, JOURNEY_MAX_MINUTES),
            ("late_minutes", setup.late_ms, 0, LATE_MAX_MINUTES),
        ];
        for (field, span_ms, min, max) in spans {
            if !(min * MINUTE_MS..=max * MINUTE_MS).contains(&span_ms) {
                return Ok(Err(SetupRefusal::Minutes { field, min, max }));
            }
        }
        setup.changed_at = self.env.now_ms();
        self.store.put_setup(&setup).await?;
        Ok(Ok(setup))
    }

    /// The newest first.
    pub async fn rides_of_provider(
        &self,
        provider: MerchantId,
        state: Option<TapRideState>,
        page: &Page,
    ) -> Result<Vec<TapRide>> {
        self.store.list_tap_rides(provider, state, page).await
    }

    /// Rides of the person that have no order yet, the newest first.
    pub async fn under_way(&self, person: PersonId) -> Result<Vec<TapRide>> {
        self.store.list_under_way(person, 50).await
    }
}
