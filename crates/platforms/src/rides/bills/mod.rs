//! Bills: what an institution paid for a period's rides with one provider, as one total and one e-invoice. Row R09.
//!
//! | step | commit | after a stop |
//! |---|---|---|
//! | close | the bill, `closing` | nothing was begun; it is asked again |
//! | gather | up to so many rides marked with the bill, its sums with them | the work goes on with the next ones |
//! | last | `closed`, or `issuing` where it is to be issued at once | gathering finds nothing and writes it |
//! | settle | date, set-up, buyer | the issuer is asked with the same |
//! | issue | the issuer's own | the issuer is asked where the document stands, under the bill's key |
//! | complete | `issued` with the e-mail that is to go out, or `failed` with the reason | as before |
//! | send | whether the mail server took it | it is sent again, under the same message id |
//!
//! A credit note is a bill without rides: its first refunds are gathered in the commit that makes it, the rest as above.
//!
//! **Invariant:** in which bill a ride is stands in one place, at the ride; marking and sums are one commit.

mod credit;
mod documents;
mod issue;
mod mail;
mod schedule;

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::calendar::Date;
use onescan_domain::ids::{BillId, InstitutionId, MerchantId};
use onescan_domain::institutions::Institution;
use onescan_domain::money::Currency;
use onescan_domain::rides::bill::{Bill, BillPeriod, BillState, BillTally, IssueWhen, PeriodKind};
use onescan_domain::rides::order::RideOrder;
pub use onescan_einvoice::rides::Side;

use crate::codes::Codes;
use crate::env::{Env, instant, local_time, midnight};
use crate::error::{PlatformError, Result};
use crate::institutions::Institutions;
use crate::invoicing::Invoicing;
use crate::merchants::Merchants;
use crate::merchants::tax::TaxSetups;
use crate::payments::Page;
use crate::processing::delivery::documents::Mailer;
use crate::profiles::Profiles;

/// Rides marked in one commit; payments wait for the writer no longer than that takes.
pub const GATHERED_AT_ONCE: u32 = 2_000;
/// Longer than a bill of 100,000 rides takes from here to its document.
const LEASE_MS: i64 = 120_000;
const BILLS_AT_ONCE: u32 = 4;
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// What one bill is to be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseBill {
    pub provider: MerchantId,
    pub period: BillPeriod,
    /// Rides in it only.
    pub currency: Currency,
    pub issue: IssueWhen,
}

/// What would be in a bill if it were closed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillPreview {
    pub period: BillPeriod,
    pub from_at: i64,
    pub until_at: i64,
    pub currency: Currency,
    /// Late rides too.
    pub rides: i64,
    pub charged_minor: i64,
    /// Rides that began before the period.
    pub late_rides: i64,
    /// Refunds that wait to be credited; a bill takes no more of them than it charges.
    pub open_credits_minor: i64,
}

/// What waits for a bill with one provider in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    pub provider: MerchantId,
    /// The period in which now lies; late rides of earlier ones in it.
    pub current: BillPreview,
    /// The one before, where rides wait that began before its end.
    pub over: Option<BillPreview>,
}

/// A ride as a bill has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledRide {
    pub order: RideOrder,
    pub side: Side,
    /// At least 0; minor units of the bill's currency.
    pub amount_minor: i64,
}

/// Closes by themselves the periods of an institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillSchedule {
    pub institution: InstitutionId,
    /// Of this provider alone; `None`: of every one that has no schedule of its own.
    pub provider: Option<MerchantId>,
    /// [`PeriodKind::Own`], of a provider's alone: by hand only.
    pub period: PeriodKind,
    pub issue: IssueWhen,
    /// How long after a period's end, so that rides told late are still in it; 0 to [`onescan_domain::rides::bill::GRACE_HOURS_MAX`].
    pub grace_hours: i64,
    /// End of the last period that was closed so.
    pub closed_until: i64,
    /// When the next period is closed; `None`: by hand only.
    pub due_at: Option<i64>,
    pub changed_at: i64,
}

pub use mail::BillMail;
pub use schedule::NewSchedule;

/// Whose bills a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillScope {
    Institution(InstitutionId),
    Provider(MerchantId),
}

/// Why a bill is not closed, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseRefusal {
    #[error("there is no such provider")]
    UnknownProvider,
    #[error("the period is not over before {}", instant(*until))]
    NotOver { until: i64 },
    #[error("no ride of this provider waits for a bill")]
    Empty,
}

/// Why a bill is not issued, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueRefusal {
    #[error("there is no such bill")]
    Unknown,
    #[error("the bill is {state}: only a closed one, or one that failed, is issued")]
    State { state: &'static str },
    #[error("nothing is left to pay, so there is nothing to invoice")]
    NothingDue,
}

/// Why no credit note is made, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditRefusal {
    #[error("there is no such bill")]
    Unknown,
    #[error("the bill is {state}: a credit note names the invoice of an issued one")]
    State { state: &'static str },
    #[error("no refund of a ride in this bill waits to be credited")]
    Nothing,
}

/// Why the document is not sent, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefusal {
    #[error("there is no such bill")]
    Unknown,
    #[error("the bill is {state}: only an issued one has a document")]
    State { state: &'static str },
    #[error("the invoice profile of the bill names no e-mail address")]
    NoAddress,
}

#[async_trait]
pub trait BillStore: Send + Sync {
    /// Inserts it unless there is one of these four and this period; returns the one that stands.
    async fn insert_or_find(&self, bill: &Bill) -> Result<Bill>;
    async fn find_bill(&self, id: BillId) -> Result<Option<Bill>>;
    async fn find_bill_of(&self, institution: InstitutionId, close: &CloseBill, bounds: Bounds)
    -> Result<Option<Bill>>;
    /// Newest first.
    async fn list_bills(&self, scope: BillScope, page: &Page) -> Result<Vec<Bill>>;
    async fn preview(&self, institution: InstitutionId, close: &CloseBill, bounds: Bounds) -> Result<BillPreview>;
    /// One commit of a closing bill: marks up to `limit` rides; when there are none, takes up to `limit` refunds; when there
    /// are none, closes it. The bill as it then is.
    async fn gather(&self, id: BillId, limit: u32, now: i64) -> Result<Bill>;
    /// Writes state, document and when work goes on, where the bill stands in `from`; whether it did.
    async fn move_bill(&self, bill: &Bill, from: &'static str, next_at: Option<i64>) -> Result<bool>;
    /// Takes bills whose work is due, for `lease_ms`, with how often each was taken.
    async fn take_bills(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<(Bill, i64)>>;
    async fn defer_bill(&self, id: BillId, next_at: i64) -> Result<()>;
    /// By order id.
    async fn list_billed(&self, id: BillId, side: Side, page: &Page) -> Result<Vec<BilledRide>>;
    /// Providers and currencies with rides of the institution that began before and are in no bill.
    async fn list_unbilled(&self, institution: InstitutionId, until: i64) -> Result<Vec<(MerchantId, Currency)>>;
    /// Inserts a credit note with up to `limit` of its refunds, in one commit. Returns the one of the same bill that is being
    /// gathered where there is one, and `None` where nothing waits to be credited.
    async fn insert_note(&self, note: &Bill, limit: u32) -> Result<Option<Bill>>;
    /// Credit notes of a bill, the oldest first.
    async fn list_notes(&self, of: BillId) -> Result<Vec<Bill>>;
    /// What was refunded of a bill's rides and is credited nowhere yet.
    async fn open_credit(&self, bill: &Bill) -> Result<i64>;
    /// Bills with rides of which something was refunded and is credited nowhere yet.
    async fn list_to_credit(&self, institution: InstitutionId) -> Result<Vec<BillId>>;
    /// Writes `issued` where the bill is `issuing`, with the e-mail that goes out; whether it did.
    async fn complete_bill(&self, bill: &Bill, mail: Option<&BillMail>) -> Result<bool>;
    async fn put_schedule(&self, schedule: &BillSchedule) -> Result<()>;
    /// Notes how far it closed and when it is due, unless it was changed or removed meanwhile.
    async fn move_schedule(&self, schedule: &BillSchedule) -> Result<()>;
    async fn remove_schedule(&self, institution: InstitutionId, provider: Option<MerchantId>) -> Result<bool>;
    /// That of all providers first.
    async fn list_schedules(&self, institution: InstitutionId) -> Result<Vec<BillSchedule>>;
    /// Of all buckets, found by when they are due.
    async fn due_schedules(&self, now: i64, limit: u32) -> Result<Vec<BillSchedule>>;
    /// In place of an earlier one of the bill.
    async fn put_mail(&self, mail: &BillMail) -> Result<()>;
    async fn find_mail(&self, bill: BillId) -> Result<Option<BillMail>>;
    /// Takes mails that are due, for `lease_ms`; counts the attempt.
    async fn take_mails(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<BillMail>>;
    /// Keeps what came of an attempt, unless a newer mail took its place.
    async fn note_mail(&self, mail: &BillMail) -> Result<()>;
}

/// A period as instants, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub from_at: i64,
    pub until_at: i64,
}

impl Bounds {
    /// In the institution's time zone.
    pub fn of(period: BillPeriod, zone: &str) -> Self {
        Self {
            from_at: midnight(period.first_on(), zone),
            until_at: midnight(period.until_on(), zone),
        }
    }
}

/// Who everybody is, and who issues.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct BillParts {
    pub codes: Arc<dyn Codes>,
    pub profiles: Arc<dyn Profiles>,
    pub invoicing: Arc<dyn Invoicing>,
    pub taxes: TaxSetups,
    pub institutions: Institutions,
    pub merchants: Merchants,
    pub mailer: Arc<dyn Mailer>,
}

/// The use cases of bills; cheap to clone.
#[derive(Clone)]
pub struct Bills {
    env: Env,
    store: Arc<dyn BillStore>,
    parts: BillParts,
}

impl std::fmt::Debug for Bills {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bills").finish_non_exhaustive()
    }
}

impl Bills {
    pub fn new(env: Env, store: Arc<dyn BillStore>, parts: BillParts) -> Self {
        Self { env, store, parts }
    }

    /// What a bill would hold now; also of a period that is not over. Writes nothing.
    pub async fn preview(&self, institution: &Institution, close: &CloseBill) -> Result<BillPreview> {
        let bounds = Bounds::of(close.period, &institution.time_zone);
        self.store.preview(institution.id, close, bounds).await
    }

    /// Every provider and currency with rides in no bill, under the periods of the schedule that holds for it; months where
    /// none does. Counts all those rides.
    pub async fn running(&self, institution: &Institution) -> Result<Vec<Running>> {
        let schedules = self.store.list_schedules(institution.id).await?;
        let kind_of = |provider: MerchantId| {
            let own = schedules.iter().find(|schedule| schedule.provider == Some(provider));
            let holds = own.or_else(|| schedules.iter().find(|schedule| schedule.provider.is_none()));
            let kind = holds.map_or(PeriodKind::Month, |schedule| schedule.period);
            if kind == PeriodKind::Own {
                PeriodKind::Month
            } else {
                kind
            }
        };
        let today = Date::of_days(local_time(self.env.now_ms(), &institution.time_zone).day);
        let today = today.ok_or_else(|| PlatformError::internal("the clock is beyond the calendar"))?;
        let mut running = Vec::new();
        for (provider, currency) in self.store.list_unbilled(institution.id, i64::MAX).await? {
            let Some(period) = BillPeriod::containing(kind_of(provider), today) else {
                continue;
            };
            let of = |period| CloseBill {
                provider,
                period,
                currency,
                issue: IssueWhen::AtOnce,
            };
            let current = self.preview(institution, &of(period)).await?;
            let over = match period.before().filter(|_| current.late_rides > 0) {
                Some(before) => Some(self.preview(institution, &of(before)).await?),
                None => None,
            };
            running.push(Running {
                provider,
                current,
                over,
            });
        }
        Ok(running)
    }

    /// Begins the bill; its rides are gathered in the background. A repeat, also by somebody else at the same time, returns the
    /// one bill of the period. Refuses in the order of [`CloseRefusal`].
    ///
    /// Row R09. Source: R claim 9.
    pub async fn close(&self, institution: &Institution, close: &CloseBill) -> Result<Result<Bill, CloseRefusal>> {
        if self.parts.merchants.find(close.provider).await?.is_none() {
            return Ok(Err(CloseRefusal::UnknownProvider));
        }
        let bounds = Bounds::of(close.period, &institution.time_zone);
        let now = self.env.now_ms();
        if bounds.until_at > now {
            return Ok(Err(CloseRefusal::NotOver { until: bounds.until_at }));
        }
        if let Some(standing) = self.store.find_bill_of(institution.id, close, bounds).await? {
            return Ok(Ok(standing));
        }
        let expected = self.store.preview(institution.id, close, bounds).await?.rides;
        if expected == 0 {
            return Ok(Err(CloseRefusal::Empty));
        }
        let bill = Bill {
            id: BillId::new(self.env.id(institution.id.bucket())),
            institution: institution.id,
            provider: close.provider,
            currency: close.currency,
            period: close.period,
            corrects: None,
            from_at: bounds.from_at,
            until_at: bounds.until_at,
            issue: close.issue,
            state: BillState::Closing,
            tally: BillTally {
                expected,
                ..BillTally::default()
            },
            created_at: now,
            closed_at: None,
            document: None,
            changed_at: now,
        };
        self.store.insert_or_find(&bill).await.map(Ok)
    }

    /// One commit of gathering; the bill as it then is.
    pub async fn gather(&self, id: BillId, limit: u32) -> Result<Bill> {
        self.store.gather(id, limit, self.env.now_ms()).await
    }

    /// Does the work on bills that is due; how many were taken. Safe on several servers at once.
    pub async fn work(&self) -> Result<u64> {
        let taken = self
            .store
            .take_bills(self.env.now_ms(), LEASE_MS, BILLS_AT_ONCE)
            .await?;
        let count = taken.len() as u64;
        for (bill, attempts) in taken {
            let id = bill.id;
            if let Err(error) = self.work_on(bill).await {
                let pause_ms = FIRST_PAUSE_MS << attempts.clamp(0, 20);
                tracing::warn!(bill.id = %id, attempts, %error, "work on a bill failed; it is tried again");
                let next_at = self.env.now_ms() + pause_ms.min(LONGEST_PAUSE_MS);
                self.store.defer_bill(id, next_at).await?;
            }
        }
        Ok(count)
    }

    async fn work_on(&self, mut bill: Bill) -> Result<()> {
        while bill.state == BillState::Closing {
            bill = self.gather(bill.id, GATHERED_AT_ONCE).await?;
        }
        match bill.state {
            BillState::Issuing => {
                let lease = self.env.now_ms() + LEASE_MS;
                self.store.defer_bill(bill.id, lease).await?;
                self.issue_document(bill).await
            }
            BillState::Closing | BillState::Closed | BillState::Issued { .. } | BillState::Failed { .. } => Ok(()),
        }
    }

    /// Has a closed bill issued, or one whose issuing failed; a repeat while it is under way, or after, changes nothing.
    pub async fn issue(&self, institution: InstitutionId, id: BillId) -> Result<Result<Bill, IssueRefusal>> {
        let Some(mut bill) = self.of_institution(institution, id).await? else {
            return Ok(Err(IssueRefusal::Unknown));
        };
        let from = bill.state.name();
        match bill.state {
            BillState::Closing => return Ok(Err(IssueRefusal::State { state: from })),
            BillState::Issuing | BillState::Issued { .. } => return Ok(Ok(bill)),
            BillState::Closed | BillState::Failed { .. } => {}
        }
        if bill.tally.total_minor() == 0 {
            return Ok(Err(IssueRefusal::NothingDue));
        }
        let now = self.env.now_ms();
        bill.state = BillState::Issuing;
        bill.changed_at = now;
        if self.store.move_bill(&bill, from, Some(now)).await? {
            return Ok(Ok(bill));
        }
        // Somebody else was faster, to the same end.
        let moved = self.of_institution(institution, id).await?;
        Ok(moved.ok_or(IssueRefusal::Unknown))
    }

    /// Anybody's, for the operator.
    pub async fn find(&self, id: BillId) -> Result<Option<Bill>> {
        self.store.find_bill(id).await
    }

    pub async fn of_institution(&self, institution: InstitutionId, id: BillId) -> Result<Option<Bill>> {
        let found = self.store.find_bill(id).await?;
        Ok(found.filter(|bill| bill.institution == institution))
    }

    pub async fn of_provider(&self, provider: MerchantId, id: BillId) -> Result<Option<Bill>> {
        let found = self.store.find_bill(id).await?;
        Ok(found.filter(|bill| bill.provider == provider))
    }

    /// Newest first.
    pub async fn list(&self, scope: BillScope, page: &Page) -> Result<Vec<Bill>> {
        self.store.list_bills(scope, page).await
    }

    /// Its rides, or the refunds it credits, by the order's id.
    pub async fn billed(&self, id: BillId, side: Side, page: &Page) -> Result<Vec<BilledRide>> {
        self.store.list_billed(id, side, page).await
    }

    async fn institution(&self, id: InstitutionId) -> Result<Institution> {
        let found = self.parts.institutions.find(id).await?;
        found.ok_or_else(|| PlatformError::internal("the institution of a bill is missing"))
    }
}
