//! What the person pays: the standing consent, and debts that block the ride code. Rows R04, R08.

use onescan_domain::ids::{PersonId, RideOrderId};
use onescan_domain::money::Money;
use onescan_domain::payments::ride::{Arrears, SettleRefusal};
use onescan_domain::rides::order::{RideOrder, RideState};

use super::orders::attempt_of;
use super::{RideConsent, Rides};
use crate::error::{PlatformError, Result};
use crate::ride_codes::DenyReason;

impl Rides {
    /// The consent in force.
    pub async fn consent(&self, person: PersonId) -> Result<Option<RideConsent>> {
        let found = self.store.find_consent(person).await?;
        Ok(found.filter(|consent| consent.withdrawn_at.is_none()))
    }

    /// Gives or changes the standing consent; `cap`: of one ride, in the person's currency.
    pub async fn give_consent(&self, person: PersonId, cap: Money) -> Result<RideConsent> {
        let consent = RideConsent {
            person,
            cap,
            given_at: self.env.now_ms(),
            withdrawn_at: None,
        };
        self.store.put_consent(&consent).await?;
        Ok(consent)
    }

    /// Rides from now on are owed instead of taken.
    pub async fn withdraw_consent(&self, person: PersonId) -> Result<()> {
        if let Some(consent) = self.consent(person).await? {
            let withdrawn_at = Some(self.env.now_ms());
            self.store
                .put_consent(&RideConsent {
                    withdrawn_at,
                    ..consent
                })
                .await?;
        }
        Ok(())
    }

    /// What the person owes, the oldest first.
    pub async fn arrears(&self, person: PersonId) -> Result<Vec<Arrears>> {
        self.payments.arrears(person).await
    }

    /// Whether the next ride code is refused. Field section 4, point 9.
    pub async fn in_arrears(&self, person: PersonId) -> Result<bool> {
        Ok(!self.arrears(person).await?.is_empty())
    }

    /// Takes the person's ride codes out of use, unless the debt was paid meanwhile.
    pub(super) async fn block(&self, person: PersonId) -> Result<()> {
        self.denials.deny(person, DenyReason::Arrears).await?;
        self.unblock(person).await.map(drop)
    }

    /// Lowers what the person owes for a ride that cost less than was told, by at most `minor`, and counts that as given back;
    /// answers with the order as it is then. What was paid meanwhile is no debt any more.
    pub async fn lower_debt(&self, mut order: RideOrder, minor: i64) -> Result<RideOrder> {
        let amount = order.amount.minor;
        let RideState::Settled(result) = &mut order.state else {
            return Ok(order);
        };
        let to_minor = (result.arrears_minor - minor).max(0);
        let Some(left) = self.payments.lower_arrears(order.person, order.id, to_minor).await? else {
            // Paid meanwhile: a repeat writes the payment into the order, and pays nothing.
            self.settle(order.person, order.id)
                .await?
                .map_err(PlatformError::internal)?;
            let paid = self.store.find_order(order.id).await?;
            return paid.ok_or_else(|| PlatformError::internal("a debt names an order that is not there"));
        };
        let lowered = result.arrears_minor - left;
        result.arrears_minor = left;
        order.refunded_minor = (order.refunded_minor + lowered).min(amount);
        order.changed_at = self.env.now_ms();
        self.store.update_order(&order).await?;
        self.unblock(order.person).await?;
        Ok(order)
    }

    /// Brings the person's ride codes back when nothing is owed; answers whether nothing is. Safe to repeat: each renewal
    /// does, so that a stop between payment and this leaves nobody blocked.
    pub(super) async fn unblock(&self, person: PersonId) -> Result<bool> {
        let owing = self.in_arrears(person).await?;
        if !owing {
            self.denials.allow(person, DenyReason::Arrears).await?;
        }
        Ok(!owing)
    }

    /// Pays what is owed for one ride; the ride code is free again when nothing is owed any more.
    pub async fn settle(&self, person: PersonId, id: RideOrderId) -> Result<Result<Arrears, SettleRefusal>> {
        let settled = match self.payments.settle_arrears(person, id).await? {
            Ok(settled) => settled,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let payment = self.payments.find(settled.payment).await?;
        if let (Some(mut order), Some(payment)) = (self.store.find_order(id).await?, payment)
            && let RideState::Settled(result) = &mut order.state
        {
            result.arrears_minor = 0;
            result.personal = Some(attempt_of(&payment));
            order.changed_at = self.env.now_ms();
            self.store.update_order(&order).await?;
        }
        self.unblock(person).await?;
        Ok(Ok(settled))
    }
}
