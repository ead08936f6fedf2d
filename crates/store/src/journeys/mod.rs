//! Journeys: feeds, set-ups, rides as their taps were matched, and streams to be worked on; all in the provider's bucket.

pub(crate) mod feeds;
pub(crate) mod rides;
pub(crate) mod work;

use async_trait::async_trait;
use onescan_domain::ids::{FeedId, MerchantId, PersonId, TapId};
use onescan_platforms::error::Result;
use onescan_platforms::journeys::{JourneyStore, Next, RideFeed, RideSetup, Stream, TapRide, TapRideState, Window};
use onescan_platforms::payments::Page;
use onescan_platforms::rides::Written;

use crate::Store;
use crate::statement::Statement;

pub(crate) const STATEMENTS: [&[&Statement]; 3] = [feeds::ALL, rides::ALL, work::ALL];

#[async_trait]
impl JourneyStore for Store {
    async fn insert_feed(&self, feed: &RideFeed, content: Vec<u8>) -> Result<()> {
        Ok(feeds::insert(self, feed, content).await?)
    }

    async fn find_feed(&self, id: FeedId) -> Result<Option<RideFeed>> {
        Ok(feeds::find(self, id).await?)
    }

    async fn feed_content(&self, id: FeedId) -> Result<Option<Vec<u8>>> {
        Ok(feeds::content(self, id).await?)
    }

    async fn list_feeds(&self, provider: MerchantId) -> Result<Vec<RideFeed>> {
        Ok(feeds::list(self, provider).await?)
    }

    async fn active_feeds(&self, limit: u32) -> Result<Vec<RideFeed>> {
        Ok(feeds::active(self, limit).await?)
    }

    async fn activate_feed(&self, feed: &RideFeed, at: i64) -> Result<()> {
        Ok(feeds::activate(self, feed, at).await?)
    }

    async fn delete_feed(&self, id: FeedId) -> Result<bool> {
        Ok(feeds::delete(self, id).await?)
    }

    async fn find_setup(&self, provider: MerchantId) -> Result<Option<RideSetup>> {
        Ok(feeds::find_setup(self, provider).await?)
    }

    async fn put_setup(&self, setup: &RideSetup) -> Result<()> {
        Ok(feeds::put_setup(self, setup).await?)
    }

    async fn take_streams(&self, now: i64, until: i64, limit: u32) -> Result<Vec<Stream>> {
        Ok(work::take(self, now, until, limit).await?)
    }

    async fn window(&self, stream: &Stream) -> Result<Window> {
        Ok(work::window(self, *stream).await?)
    }

    async fn save(
        &self,
        stream: &Stream,
        rides: Vec<TapRide>,
        gone: Vec<TapId>,
        next: Option<Next>,
    ) -> Result<Written> {
        Ok(work::save(self, *stream, rides, gone, next).await?)
    }

    async fn list_tap_rides(
        &self,
        provider: MerchantId,
        state: Option<TapRideState>,
        page: &Page,
    ) -> Result<Vec<TapRide>> {
        Ok(rides::list(self, provider, state, page).await?)
    }

    async fn list_under_way(&self, person: PersonId, limit: u32) -> Result<Vec<TapRide>> {
        Ok(rides::under_way(self, person, limit).await?)
    }
}
