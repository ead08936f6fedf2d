//! Ride codes: devices in their person's bucket, journals and taps in the provider's.

mod devices;
mod taps;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{MerchantId, PersonId, RideDeviceId, TerminalId};
use onescan_gate::keys::Fingerprint;
use onescan_platforms::error::Result;
use onescan_platforms::ride_codes::{Denied, DenyReason, Journal, RideCodeStore, RideDevice, StoredTap, TapPage};

use crate::Store;
use crate::decode::parsed;
use crate::error::DbError;
use crate::sql::Row;
use crate::statement::Statement;

pub(crate) const STATEMENTS: [&[&Statement]; 2] = [devices::ALL, taps::ALL];

#[async_trait]
impl RideCodeStore for Store {
    async fn insert_device(&self, device: &RideDevice, print: Bucket) -> Result<()> {
        Ok(devices::insert(self, device, print).await?)
    }

    async fn find_device(&self, id: RideDeviceId) -> Result<Option<RideDevice>> {
        Ok(devices::find(self, id).await?)
    }

    async fn list_devices(&self, person: PersonId) -> Result<Vec<RideDevice>> {
        Ok(devices::list(self, person).await?)
    }

    async fn entitle(&self, id: RideDeviceId, until: i64) -> Result<bool> {
        Ok(devices::entitle(self, id, until).await?)
    }

    async fn revoke_device(&self, id: RideDeviceId, at: i64) -> Result<bool> {
        Ok(devices::revoke(self, id, at).await?)
    }

    async fn deny_person(&self, person: PersonId, reason: DenyReason, at: i64) -> Result<()> {
        Ok(devices::deny_person(self, person, reason, at).await?)
    }

    async fn allow_person(&self, person: PersonId, reason: DenyReason, at: i64) -> Result<()> {
        Ok(devices::allow_person(self, person, reason, at).await?)
    }

    async fn denied(&self, since: Option<i64>, now: i64) -> Result<Denied> {
        Ok(devices::denied(self, since, now).await?)
    }

    async fn find_prints(&self, prints: &[(Bucket, Fingerprint)]) -> Result<Vec<Option<(RideDeviceId, PersonId)>>> {
        Ok(devices::find_prints(self, prints).await?)
    }

    async fn open_journal(&self, journal: &Journal) -> Result<Journal> {
        Ok(taps::open_journal(self, journal).await?)
    }

    async fn find_journal(&self, gate: TerminalId, id: Fingerprint) -> Result<Option<Journal>> {
        Ok(taps::find_journal(self, gate, id).await?)
    }

    async fn list_journals(&self, provider: MerchantId) -> Result<Vec<Journal>> {
        Ok(taps::list_journals(self, provider).await?)
    }

    async fn insert_taps(&self, journal: &Journal, found: Vec<StoredTap>) -> Result<(usize, Journal)> {
        Ok(taps::insert(self, journal, found).await?)
    }

    async fn list_taps(&self, provider: MerchantId, page: TapPage) -> Result<Vec<StoredTap>> {
        Ok(taps::list(self, provider, page).await?)
    }
}

fn fingerprint(row: &Row, column: usize) -> Result<Fingerprint, DbError> {
    parsed(row, column, "fingerprint", Fingerprint::parse)
}
