//! Devices, entitlements, keys and the deny list.

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{PersonId, RideDeviceId};
use onescan_domain::money::Money;
use onescan_domain::rides::application::FormRefusal;
use onescan_domain::rides::tap::Payer;
use onescan_domain::text;
use onescan_gate::code::{Entitlement, Scope};
use onescan_gate::deny::Document;
use onescan_gate::keys::{Fingerprint, PublicKey, SigningKey};
use onescan_gate::verify::{IssuerKey, IssuerKeys};

use super::{
    DenyReason, EnrolRefusal, Grant, GrantRefusal, IssueRefusal, Issued, NewRideDevice, RideCodeStore, RideDevice,
    RideGrants,
};
use crate::env::Env;
use crate::error::Result;
use crate::people::{People, Person};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RideCodeSettings {
    /// How long an entitlement is good without the server.
    pub entitlement_ms: i64,
    /// How long one issuer's key signs.
    pub key_ms: i64,
    /// The most one ride may cost without an application, in whole units of the person's currency.
    pub personal_cap: i64,
}

impl Default for RideCodeSettings {
    fn default() -> Self {
        Self {
            entitlement_ms: 12 * HOUR_MS,
            key_ms: 30 * 24 * HOUR_MS,
            personal_cap: 100,
        }
    }
}

const HOUR_MS: i64 = 3_600_000;
/// Devices in force that a person may have.
const DEVICES_MAX: usize = 10;
/// What changed this long before a version is told again: commits of several servers may cross.
const OVERLAP_MS: i64 = 120_000;

/// A key of the issuer as gates get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    pub key: PublicKey,
    pub from: i64,
    /// Nothing it signed is good after.
    pub until: i64,
}

/// Everybody may ride at their own expense.
#[derive(Debug, Clone, Copy)]
pub struct PersonalGrants {
    pub cap: i64,
}

#[async_trait]
impl RideGrants for PersonalGrants {
    async fn may_issue(&self, person: &Person) -> Result<Result<Grant, GrantRefusal>> {
        let units = 10_i64.pow(person.currency.decimals().into());
        Ok(Ok(Grant {
            payer: Payer::Person,
            rules: [0; 8],
            cap: Money::new(self.cap.saturating_mul(units).min(u32::MAX.into()), person.currency),
            until: None,
            scopes: Vec::new(),
            form: Err(FormRefusal::NoForm),
        }))
    }
}

/// Takes people's codes out of use and back. A part of the issuer that whoever learns of arrears holds.
#[derive(Clone)]
pub struct Denials {
    env: Env,
    store: Arc<dyn RideCodeStore>,
}

impl std::fmt::Debug for Denials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denials").finish_non_exhaustive()
    }
}

impl Denials {
    pub fn new(env: Env, store: Arc<dyn RideCodeStore>) -> Self {
        Self { env, store }
    }

    /// Takes the person's codes out of use, for as long as what was issued lasts. A repeat changes nothing.
    pub async fn deny(&self, person: PersonId, reason: DenyReason) -> Result<()> {
        self.store.deny_person(person, reason, self.env.now_ms()).await
    }

    /// Undoes [`Self::deny`].
    pub async fn allow(&self, person: PersonId, reason: DenyReason) -> Result<()> {
        self.store.allow_person(person, reason, self.env.now_ms()).await
    }
}

#[derive(Clone)]
pub struct RideCodes {
    pub(super) env: Env,
    pub(super) store: Arc<dyn RideCodeStore>,
    people: People,
    grants: Arc<dyn RideGrants>,
    pub(super) settings: RideCodeSettings,
}

impl std::fmt::Debug for RideCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RideCodes").finish_non_exhaustive()
    }
}

impl RideCodes {
    pub fn new(
        env: Env,
        store: Arc<dyn RideCodeStore>,
        people: People,
        grants: Arc<dyn RideGrants>,
        settings: RideCodeSettings,
    ) -> Self {
        Self {
            env,
            store,
            people,
            grants,
            settings,
        }
    }

    /// Ties a device to the person. The same person and key again: the device that is there, unless it was revoked.
    pub async fn enrol(&self, person: PersonId, new: NewRideDevice) -> Result<Result<RideDevice, EnrolRefusal>> {
        let name = match text::line(&new.name, 100) {
            Ok(name) => name,
            Err(error) => return Ok(Err(EnrolRefusal::Name(error))),
        };
        let key = PublicKey::read(new.algorithm, &new.public_key).filter(|key| !key.is_weak());
        let Some(key) = key else {
            return Ok(Err(EnrolRefusal::Key));
        };
        let fingerprint = key.fingerprint();
        let known = self.store.list_devices(person).await?;
        if let Some(same) = known.iter().find(|device| device.fingerprint == fingerprint) {
            return Ok(match same.revoked_at {
                None => Ok(same.clone()),
                Some(_) => Err(EnrolRefusal::KeyTaken),
            });
        }
        if known.iter().filter(|device| device.revoked_at.is_none()).count() >= DEVICES_MAX {
            return Ok(Err(EnrolRefusal::TooMany { max: DEVICES_MAX }));
        }
        let device = RideDevice {
            id: RideDeviceId::new(self.env.id(person.bucket())),
            person,
            name,
            algorithm: new.algorithm,
            public_key: key.bytes(),
            fingerprint,
            entitled_until: 0,
            created_at: self.env.now_ms(),
            revoked_at: None,
        };
        match self.store.insert_device(&device, self.bucket_of(fingerprint)).await {
            Ok(()) => Ok(Ok(device)),
            Err(error) if error.is_taken("ride_device_prints") => Ok(Err(EnrolRefusal::KeyTaken)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn bucket_of(&self, fingerprint: Fingerprint) -> Bucket {
        self.env.bucket_of(&fingerprint.hex())
    }

    pub async fn devices(&self, person: PersonId) -> Result<Vec<RideDevice>> {
        self.store.list_devices(person).await
    }

    /// Worth nothing from now on: no renewal, and gates refuse it with their next deny list. False: not this person's, or
    /// revoked already.
    pub async fn revoke(&self, person: PersonId, id: RideDeviceId) -> Result<bool> {
        let found = self.store.find_device(id).await?;
        match found.filter(|device| device.person == person) {
            Some(device) => self.store.revoke_device(device.id, self.env.now_ms()).await,
            None => Ok(false),
        }
    }

    /// Signs what the device may show for the next hours. A repeat signs anew.
    pub async fn issue(&self, person: PersonId, id: RideDeviceId) -> Result<Result<Issued, IssueRefusal>> {
        let found = self.store.find_device(id).await?;
        let Some(device) = found.filter(|device| device.person == person) else {
            return Ok(Err(IssueRefusal::Unknown));
        };
        let Some(person) = self.people.find(person).await? else {
            return Ok(Err(IssueRefusal::Unknown));
        };
        if device.revoked_at.is_some() {
            return Ok(Err(IssueRefusal::Revoked));
        }
        let grant = match self.grants.may_issue(&person).await? {
            Ok(grant) => grant,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let now_s = self.env.now_ms().div_euclid(1_000);
        let ends_at = now_s * 1_000 + self.settings.entitlement_ms;
        let ends_at = grant.until.map_or(ends_at, |until| until.min(ends_at));
        if !self.store.entitle(device.id, ends_at).await? {
            return Ok(Err(IssueRefusal::Revoked));
        }
        let valid_ms = (ends_at - now_s * 1_000).max(0);
        let entitlement = Entitlement {
            issued_at_s: now_s,
            valid_s: u32::try_from(valid_ms / 1_000).unwrap_or(u32::MAX),
            device: device.public_key,
            rules: grant.rules,
            cap: Money::new(grant.cap.minor.clamp(0, u32::MAX.into()), grant.cap.currency),
            scopes: grant.scopes.iter().take(2).map(|name| Scope::of(name)).collect(),
            payer: grant.payer,
        };
        Ok(Ok(Issued {
            entitlement: entitlement.sign(&self.signing_key(now_s * 1_000)),
            payer: grant.payer,
            cap: entitlement.cap,
            form: grant.form,
            ends_at,
            renew_at: now_s * 1_000 + valid_ms / 4,
        }))
    }

    /// The last key, today's and the next, so that a gate that is offline for weeks knows it already.
    pub fn published_keys(&self) -> Vec<PublishedKey> {
        self.keys_around(self.env.now_ms())
    }

    fn keys_around(&self, at: i64) -> Vec<PublishedKey> {
        let number = at.div_euclid(self.settings.key_ms);
        let numbers = number - 1..=number + 1;
        numbers.map(|number| self.published(number)).collect()
    }

    fn published(&self, number: i64) -> PublishedKey {
        let from = number * self.settings.key_ms;
        PublishedKey {
            key: self.key(number).public(),
            from,
            until: from + self.settings.key_ms + self.settings.entitlement_ms,
        }
    }

    /// Keys follow from the server's secret and the time: servers that share the secret share them.
    fn key(&self, number: i64) -> SigningKey {
        SigningKey::ed25519(&self.env.secret.derive(&format!("ride code issuer {number}")))
    }

    fn signing_key(&self, at: i64) -> SigningKey {
        self.key(at.div_euclid(self.settings.key_ms))
    }

    /// As a gate would trust them at `at`.
    pub(super) fn trusted(&self, at: i64) -> IssuerKeys {
        IssuerKeys::new(self.keys_around(at).into_iter().map(|published| IssuerKey {
            key: published.key,
            from_s: published.from / 1_000,
            until_s: published.until / 1_000,
        }))
    }

    /// Devices that gates refuse now, sorted. Reads every bucket.
    pub async fn denied(&self) -> Result<Vec<Fingerprint>> {
        let mut devices = self.store.denied(None, self.env.now_ms()).await?.added;
        devices.sort_unstable();
        Ok(devices)
    }

    /// The signed deny list, whole or what changed since a version; changes are told with some that are older. Whole lists
    /// read every bucket.
    pub async fn deny_list(&self, since: Option<u64>) -> Result<Vec<u8>> {
        let now = self.env.now_ms();
        let since = since.map(|version| i64::try_from(version).unwrap_or(i64::MAX));
        let from = since.map(|since| since.saturating_sub(OVERLAP_MS));
        let denied = self.store.denied(from, now).await?;
        let sorted = |mut devices: Vec<Fingerprint>| {
            devices.sort_unstable();
            devices.dedup();
            devices
        };
        let version = denied.changed_at.max(since.unwrap_or(0));
        let document = Document {
            since: since.map(|since| since as u64),
            version: version as u64,
            issued_at_s: now.div_euclid(1_000),
            added: sorted(denied.added),
            removed: sorted(denied.removed),
        };
        Ok(document.sign(&self.signing_key(now)))
    }
}
