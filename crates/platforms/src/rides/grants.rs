//! What a ride code may promise: the institution's payment where a form stands for the next ride. Rows R02, R03, R08.

use async_trait::async_trait;
use onescan_domain::money::Money;
use onescan_domain::policy::{Dimension, Policy};
use onescan_domain::rides::application::TravelApplication;
use onescan_domain::rides::tap::Payer;
use sha2::{Digest, Sha256};

use super::orders::Asked;
use super::{PolicyVersion, Rides};
use crate::error::{PlatformError, Result};
use crate::people::Person;
use crate::ride_codes::{Grant, GrantRefusal, PersonalGrants, RideGrants};

/// Grants from travel applications and arrears: nothing while rides are owed; by the institution while a form is valid,
/// switched on and free; else at the person's own expense, with the reason why no form stands.
///
/// What a code promises does not bind: the ride is decided when it is paid, by the rules of its time.
#[derive(Debug, Clone)]
pub struct FormGrants {
    pub rides: Rides,
    pub personal: PersonalGrants,
}

#[async_trait]
impl RideGrants for FormGrants {
    async fn may_issue(&self, person: &Person) -> Result<Result<Grant, GrantRefusal>> {
        if !self.rides.unblock(person.id).await? {
            return Ok(Err(GrantRefusal::Arrears));
        }
        let own = match self.personal.may_issue(person).await? {
            Ok(own) => own,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asked = Asked {
            person: person.id,
            travel_type: None,
            start_at: self.rides.env.now_ms(),
            city: "",
        };
        match self.rides.form(asked, "").await? {
            Ok(form) => self.by_institution(&form.value, own).await.map(Ok),
            Err(why) => Ok(Ok(Grant { form: Err(why), ..own })),
        }
    }
}

impl FormGrants {
    async fn by_institution(&self, form: &TravelApplication, own: Grant) -> Result<Grant> {
        let institution = self.rides.institutions.find(form.institution).await?;
        let institution =
            institution.ok_or_else(|| PlatformError::internal("a form names an institution that is not there"))?;
        let policy = self.rides.policy_at(form.travel_type, self.rides.env.now_ms()).await?;
        let rules = policy.as_ref().map_or("", |policy| policy.rules.as_str());
        let limit = Policy::parse(rules)
            .map_err(PlatformError::internal)?
            .limit(Dimension::Amount);
        Ok(Grant {
            payer: Payer::Institution,
            rules: digest(form, policy.as_ref()),
            cap: cap(limit.map(|minor| Money::new(minor, institution.currency)), own.cap),
            until: Some(form.valid_until),
            scopes: Vec::new(),
            form: Ok(form.id),
        })
    }
}

/// A dearer ride than the institution pays turns to the person, so gates must not stop it below what the person may ride for.
fn cap(institution: Option<Money>, own: Money) -> Money {
    match institution {
        Some(limit) if limit.currency != own.currency => limit,
        Some(limit) => Money::new(limit.minor.max(own.minor), own.currency),
        None => own,
    }
}

/// Names the rules that were in force, nobody who has them: eight bytes over travel type, version and text.
fn digest(form: &TravelApplication, policy: Option<&PolicyVersion>) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(form.travel_type.stored());
    if let Some(policy) = policy {
        hash.update(policy.version.to_be_bytes());
        hash.update(&policy.rules);
    }
    let mut short = [0; 8];
    short.copy_from_slice(&hash.finalize()[..8]);
    short
}
