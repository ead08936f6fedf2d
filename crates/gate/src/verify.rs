//! The gate's decision.

use onescan_domain::money::Money;
use onescan_domain::rides::tap::{Payer, TapKind};

use crate::code::{RideCode, Scope};
use crate::deny::DenyList;
use crate::keys::{Fingerprint, KeyId, PublicKey};
use crate::memory::{Journey, Memory, Seen};
use crate::refusal::Refusal;

/// An issuer's key and when what it signs is in force. Seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    pub key: PublicKey,
    pub from_s: i64,
    pub until_s: i64,
}

/// The issuers' keys a gate trusts; a handful.
#[derive(Debug, Clone, Default)]
pub struct IssuerKeys(Vec<(KeyId, IssuerKey)>);

impl IssuerKeys {
    pub fn new(keys: impl IntoIterator<Item = IssuerKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.key.id(), key)).collect())
    }

    pub fn find(&self, id: KeyId) -> Option<&IssuerKey> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a gate does when its deny list is older than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenStale {
    Refuse,
    /// Lets through what may cost at most this.
    UpTo(Money),
}

/// What a gate does with an exit whose entry it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownEntry {
    /// Opens and marks the journey as incomplete: the entry may be at a gate that is offline.
    Accept,
    Refuse,
}

#[derive(Debug, Clone)]
pub struct Policy {
    /// The gate's operator and the networks it belongs to.
    pub scopes: Vec<Scope>,
    /// How long a code lives, 30 to 60.
    pub code_life_s: i64,
    /// How far clocks may be apart.
    pub skew_s: i64,
    /// The most a ride that begins or ends here can cost; `None`: not checked here.
    pub fare_max: Option<Money>,
    /// Age at which a deny list is stale.
    pub list_age_max_s: i64,
    pub when_stale: WhenStale,
    /// A second entry within this time of the first is refused; later it opens and the first journey stays incomplete.
    pub passback_ms: i64,
    pub unknown_entry: UnknownEntry,
}

impl Policy {
    /// 45 s of life, 30 s of skew, a list of at most a day, refused when stale; ten minutes between two entries.
    pub fn new(scopes: Vec<Scope>) -> Self {
        Self {
            scopes,
            code_life_s: 45,
            skew_s: 30,
            fare_max: None,
            list_age_max_s: 86_400,
            when_stale: WhenStale::Refuse,
            passback_ms: 600_000,
            unknown_entry: UnknownEntry::Accept,
        }
    }
}

/// Why a journey is charged at the maximum fare unless other taps explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// This entry follows one without an exit.
    NeverLeft(Journey),
    /// This exit follows no entry.
    NeverEntered,
}

/// A passage the gate may open for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    pub device: Fingerprint,
    pub counter: u64,
    pub payer: Payer,
    pub rules: [u8; 8],
    pub cap: Money,
    pub kind: TapKind,
    /// Milliseconds since 1970.
    pub at: i64,
    pub incomplete: Option<Incomplete>,
}

/// Keys, deny list and memory of one gate.
#[derive(Debug, Clone)]
pub struct Gate {
    pub policy: Policy,
    pub keys: IssuerKeys,
    /// `None` until the first was fetched: as one that is too old.
    pub deny: Option<DenyList>,
    pub memory: Memory,
}

impl Gate {
    /// Decides about a code; nothing is remembered before [`Self::admit`]. `now`: milliseconds since 1970 by the gate's clock.
    ///
    /// Refuses in the order of [`Refusal`]. About two signatures' time.
    pub fn look(&self, text: &str, kind: TapKind, now: i64) -> Result<Passage, Refusal> {
        let code = RideCode::read(text)?;
        let now_s = now.div_euclid(1_000);
        self.check_clock(now_s)?;
        check_issued(&code, &self.keys, now_s, self.policy.skew_s)?;
        self.check_scope(&code)?;
        check_shown(&code, &self.policy, now_s)?;
        let device = code.fingerprint();
        self.check_list(device, now_s)?;
        self.check_cap(code.entitlement.cap)?;
        let incomplete = self.check_memory(device, code.counter, kind, now)?;
        Ok(Passage {
            device,
            counter: code.counter,
            payer: code.entitlement.payer,
            rules: code.entitlement.rules,
            cap: code.entitlement.cap,
            kind,
            at: now,
            incomplete,
        })
    }

    /// Remembers a passage that the gate opened for, once it is in the journal.
    pub fn admit(&mut self, passage: &Passage, station: &str) {
        self.memory.learn(Seen {
            device: passage.device,
            counter: passage.counter,
            kind: passage.kind,
            station: station.to_owned(),
            at: passage.at,
        });
    }

    /// What the issuer has signed cannot be younger than now.
    fn check_clock(&self, now_s: i64) -> Result<(), Refusal> {
        let floor = self.deny.as_ref().map_or(i64::MIN, DenyList::issued_at_s);
        if now_s + self.policy.skew_s < floor {
            return Err(Refusal::TerminalClockWrong);
        }
        Ok(())
    }

    fn check_scope(&self, code: &RideCode) -> Result<(), Refusal> {
        let named = &code.entitlement.scopes;
        match named.is_empty() || named.iter().any(|scope| self.policy.scopes.contains(scope)) {
            true => Ok(()),
            false => Err(Refusal::WrongOperator),
        }
    }

    fn check_list(&self, device: Fingerprint, now_s: i64) -> Result<(), Refusal> {
        let fresh = self
            .deny
            .as_ref()
            .is_some_and(|list| now_s - list.issued_at_s() <= self.policy.list_age_max_s);
        if !fresh {
            match (self.policy.when_stale, self.policy.fare_max) {
                (WhenStale::UpTo(most), Some(fare)) if fare.currency == most.currency && fare.minor <= most.minor => {}
                (WhenStale::UpTo(_) | WhenStale::Refuse, _) => return Err(Refusal::DenyListTooOld),
            }
        }
        match self.deny.as_ref().is_some_and(|list| list.contains(device)) {
            true => Err(Refusal::Revoked),
            false => Ok(()),
        }
    }

    fn check_cap(&self, cap: Money) -> Result<(), Refusal> {
        match self.policy.fare_max {
            Some(fare) if fare.currency != cap.currency => Err(Refusal::WrongCurrency { cap }),
            Some(fare) if fare.minor > cap.minor => Err(Refusal::CapExceeded { cap }),
            Some(_) | None => Ok(()),
        }
    }

    fn check_memory(
        &self,
        device: Fingerprint,
        counter: u64,
        kind: TapKind,
        now: i64,
    ) -> Result<Option<Incomplete>, Refusal> {
        if self.memory.counter(device).is_some_and(|last| counter <= last) {
            return Err(Refusal::Replayed);
        }
        match (kind, self.memory.journey(device)) {
            (TapKind::Entry, Some(open)) if now - open.entered_at < self.policy.passback_ms => {
                Err(Refusal::EntryWithoutExit)
            }
            (TapKind::Entry, Some(open)) => Ok(Some(Incomplete::NeverLeft(open.clone()))),
            (TapKind::Exit, None) => match self.policy.unknown_entry {
                UnknownEntry::Accept => Ok(Some(Incomplete::NeverEntered)),
                UnknownEntry::Refuse => Err(Refusal::ExitWithoutEntry),
            },
            (TapKind::Entry, None) | (TapKind::Exit, Some(_)) | (TapKind::Single, _) => Ok(None),
        }
    }
}

/// The issuer's part: key, signature, times.
pub fn check_issued(code: &RideCode, keys: &IssuerKeys, now_s: i64, skew_s: i64) -> Result<(), Refusal> {
    let key = code.issuer_key;
    let issuer = keys.find(key).ok_or(Refusal::UnknownIssuerKey { key })?;
    if now_s + skew_s < issuer.from_s || now_s - skew_s >= issuer.until_s {
        return Err(Refusal::IssuerKeyEnded { key });
    }
    if !code.is_issued_by(&issuer.key) {
        return Err(Refusal::IssuerSignature);
    }
    if now_s + skew_s < code.entitlement.issued_at_s {
        return Err(Refusal::EntitlementNotYetValid);
    }
    if now_s >= code.entitlement.ends_at_s() {
        return Err(Refusal::EntitlementExpired);
    }
    Ok(())
}

/// The device's part: signature, times.
pub fn check_shown(code: &RideCode, policy: &Policy, now_s: i64) -> Result<(), Refusal> {
    if !code.is_shown_by_its_device() {
        return Err(Refusal::DeviceSignature);
    }
    if code.shown_at_s > now_s + policy.skew_s {
        return Err(Refusal::CodeFromFuture);
    }
    if now_s - code.shown_at_s >= policy.code_life_s + policy.skew_s {
        return Err(Refusal::CodeExpired);
    }
    Ok(())
}
