//! From taps to orders: a provider's feed and set-up, rides as the taps of its gates were matched, and the order each becomes.
//! Row R04. Source: R claims 1, 4.
//!
//! A device's taps at one provider are looked at together whenever one arrives or a time limit ends
//! ([`onescan_domain::rides::matching`]). A ride that is known becomes a ride order under the number of the tap it was first
//! told of, through [`crate::rides::Rides::take`]; so a repeat, on whatever server, makes no second one.
//!
//! **Invariant:** every accepted tap of a known person belongs to one ride, and a ride has at most one order that is not
//! given back.
//! **Invariant:** a ride is written only by whoever saw all taps of its device that are here: new ones raise the version that
//! the write is tied to.

mod feeds;
mod pricing;
mod reconcile;
mod service;

use async_trait::async_trait;
use onescan_domain::ids::{ConsultationId, FeedId, MerchantId, PersonId, RideDeviceId, RideOrderId, TapId};
use onescan_domain::money::Money;
use onescan_domain::rides::matching::{MatchLimits, MatchedRide};
use onescan_domain::rides::tap::Tap;
use onescan_domain::text::TextError;
use onescan_domain::transit::FeedFaults;

pub use feeds::{Feeds, PlaceKind, TransitPlace, pack, unpack};
pub use service::{JourneyParts, Journeys};

use crate::error::Result;
use crate::rides::Written;

/// A transit feed of a provider. Never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideFeed {
    pub id: FeedId,
    pub provider: MerchantId,
    pub name: String,
    pub stops: i64,
    pub lines: i64,
    pub trips: i64,
    pub fares: i64,
    /// SHA-256 of its files, hexadecimal.
    pub hash: String,
    /// Fares and places come from it.
    pub active: bool,
    pub created_at: i64,
}

/// Why a feed is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedRefusal {
    #[error("name: {0}")]
    Name(TextError),
    #[error("the file is no zip archive, or is damaged")]
    Archive,
    #[error("{file} is larger than {max_mb} MB")]
    TooLarge { file: String, max_mb: u64 },
    #[error("{file} is not UTF-8 text")]
    Text { file: String },
    #[error(transparent)]
    Feed(#[from] FeedFaults),
    #[error("there is no such feed")]
    Unknown,
    #[error("the feed is in use: put another into use first")]
    InUse,
}

/// How a provider's taps are read and priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideSetup {
    pub provider: MerchantId,
    /// Code of the travel type that forms must have.
    pub travel_type: String,
    /// Of every ride; empty: not told.
    pub city: String,
    /// Of one tap, before the feed's; also of a ride that the feed has no fare for.
    pub single_fare: Option<Money>,
    /// Of an incomplete journey, before the feed's.
    pub maximum_fare: Option<Money>,
    /// A journey that is open for longer has lost its exit.
    pub journey_max_ms: i64,
    /// An incomplete journey waits this long for its missing tap before it becomes an order.
    pub late_ms: i64,
    pub changed_at: i64,
}

impl RideSetup {
    /// For whoever set nothing up: `metro`, four hours, half a day.
    pub fn of(provider: MerchantId) -> Self {
        Self {
            provider,
            travel_type: "metro".to_owned(),
            city: String::new(),
            single_fare: None,
            maximum_fare: None,
            journey_max_ms: 4 * HOUR_MS,
            late_ms: 12 * HOUR_MS,
            changed_at: 0,
        }
    }

    pub fn limits(&self) -> MatchLimits {
        MatchLimits {
            journey_max_ms: self.journey_max_ms,
            ..MatchLimits::default()
        }
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Why a set-up is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupRefusal {
    #[error("{field}: {error}")]
    Text { field: &'static str, error: TextError },
    #[error("{field}: at least 1 minor unit")]
    Fare { field: &'static str },
    #[error("{field}: {min} to {max} minutes")]
    Minutes { field: &'static str, min: i64, max: i64 },
}

/// Where a ride stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapRideState {
    /// The exit may still come.
    Open,
    /// Incomplete; its missing tap may still come.
    Waiting,
    /// An order is to be made of it, or corrected.
    Due,
    Ordered,
    /// Costs nothing: no order.
    Free,
    /// No fare is known for it, or its order cannot be made; see the problem.
    Unpriced,
    /// Its taps belong to another ride now, and its order is to be given back.
    Withdrawing,
    Withdrawn,
}

impl TapRideState {
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Waiting,
        Self::Due,
        Self::Ordered,
        Self::Free,
        Self::Unpriced,
        Self::Withdrawing,
        Self::Withdrawn,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Due => "due",
            Self::Ordered => "ordered",
            Self::Free => "free",
            Self::Unpriced => "unpriced",
            Self::Withdrawing => "withdrawing",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the taps of the ride are its own.
    pub fn stands(self) -> bool {
        !matches!(self, Self::Withdrawing | Self::Withdrawn)
    }
}

/// What stands in the way of a ride's order, for its provider to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapRideProblem {
    /// Neither feed nor set-up has a fare.
    NoFare,
    UnknownPerson,
    /// More taps made the ride dearer than its order, which is owed and cannot be made anew.
    Underpaid,
    /// More taps made the ride cheaper or another's, but its order is owed and not paid, so nothing can be given back.
    Owed,
}

impl TapRideProblem {
    pub const ALL: [Self; 4] = [Self::NoFare, Self::UnknownPerson, Self::Underpaid, Self::Owed];

    pub fn name(self) -> &'static str {
        match self {
            Self::NoFare => "no-fare",
            Self::UnknownPerson => "unknown-person",
            Self::Underpaid => "underpaid",
            Self::Owed => "owed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.name() == name)
    }
}

/// A ride as its taps tell it, with its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapRide {
    /// Its key is the ride's id.
    pub ride: MatchedRide,
    pub person: PersonId,
    pub device: RideDeviceId,
    /// The device's counters of its first and last tap.
    pub counters: (i64, i64),
    pub state: TapRideState,
    /// The tap whose id is the order's number.
    pub number: TapId,
    /// Orders before this one that were too cheap and given back.
    pub attempt: i64,
    pub fare: Option<Money>,
    /// Name of the line; empty: not known.
    pub line: String,
    pub consultation: Option<ConsultationId>,
    pub order: Option<RideOrderId>,
    /// The ride that its taps belong to now.
    pub into: Option<TapId>,
    pub problem: Option<TapRideProblem>,
    pub created_at: i64,
    pub changed_at: i64,
}

impl TapRide {
    /// The order's number, the same whenever it is asked for.
    pub fn order_number(&self) -> String {
        match self.attempt {
            0 => self.number.to_string(),
            attempt => format!("{}-{}", self.number, attempt + 1),
        }
    }
}

/// Taps of one device at one provider that are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    pub provider: MerchantId,
    pub device: RideDeviceId,
    pub from_counter: i64,
    pub version: i64,
}

/// When and from where a stream is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    pub from_counter: i64,
    pub due_at: i64,
}

/// Rides, and all taps at or after the first of them: enough to match again what new taps may change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    pub rides: Vec<TapRide>,
    pub taps: Vec<Tap>,
}

#[async_trait]
pub trait JourneyStore: Send + Sync {
    async fn insert_feed(&self, feed: &RideFeed, content: Vec<u8>) -> Result<()>;
    async fn find_feed(&self, id: FeedId) -> Result<Option<RideFeed>>;
    async fn feed_content(&self, id: FeedId) -> Result<Option<Vec<u8>>>;
    /// The newest first.
    async fn list_feeds(&self, provider: MerchantId) -> Result<Vec<RideFeed>>;
    /// Those in use, of all buckets.
    async fn active_feeds(&self, limit: u32) -> Result<Vec<RideFeed>>;
    /// Puts it into use instead of the one before, and rides without a fare to work, in one commit.
    async fn activate_feed(&self, feed: &RideFeed, at: i64) -> Result<()>;
    /// Only where it is not in use; false: it was not there.
    async fn delete_feed(&self, id: FeedId) -> Result<bool>;
    async fn find_setup(&self, provider: MerchantId) -> Result<Option<RideSetup>>;
    /// Puts rides without a fare to work, too.
    async fn put_setup(&self, setup: &RideSetup) -> Result<()>;
    /// Takes streams that are due, of all buckets, and leaves them to others after `until`.
    async fn take_streams(&self, now: i64, until: i64, limit: u32) -> Result<Vec<Stream>>;
    async fn window(&self, stream: &Stream) -> Result<Window>;
    /// Writes `rides`, removes `gone`, and ends the work on the stream or says when it goes on, in one commit; nothing of it
    /// where more taps came since it was taken.
    async fn save(&self, stream: &Stream, rides: Vec<TapRide>, gone: Vec<TapId>, next: Option<Next>)
    -> Result<Written>;
    /// The newest first. `state`: only those.
    async fn list_tap_rides(
        &self,
        provider: MerchantId,
        state: Option<TapRideState>,
        page: &crate::payments::Page,
    ) -> Result<Vec<TapRide>>;
    /// Rides of the person, at any provider, that have no order (yet), the newest first.
    async fn list_under_way(&self, person: PersonId, limit: u32) -> Result<Vec<TapRide>>;
}
