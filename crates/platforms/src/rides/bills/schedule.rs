//! Periods that are closed by themselves when they are over: an institution's, and otherwise a provider's.

use onescan_domain::calendar::Date;
use onescan_domain::ids::{InstitutionId, MerchantId};
use onescan_domain::institutions::Institution;
use onescan_domain::rides::bill::{BillPeriod, BillState, IssueWhen, PeriodKind};

use super::{BillSchedule, Bills, Bounds, CloseBill};
use crate::env::local_time;
use crate::error::Result;

const HOUR_MS: i64 = 3_600_000;
/// Looked at in one go; the rest a moment later.
const SCHEDULES_AT_ONCE: u32 = 200;
/// Until a schedule is looked at again whose period could not be closed.
const AGAIN_MS: i64 = 60_000;

/// What is wanted of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSchedule {
    /// `None`: for every provider that has no schedule of its own.
    pub provider: Option<MerchantId>,
    /// Own dates, of a provider's alone: its periods are closed by hand only.
    pub period: PeriodKind,
    pub issue: IssueWhen,
    /// 0 to [`onescan_domain::rides::bill::GRACE_HOURS_MAX`].
    pub grace_hours: i64,
}

impl Bills {
    /// From now on each period that ends is closed, `grace_hours` after its end; earlier ones stay to be closed by hand.
    pub async fn put_schedule(&self, institution: &Institution, new: NewSchedule) -> Result<BillSchedule> {
        let now = self.env.now_ms();
        let zone = &institution.time_zone;
        let closed_until =
            last_over(new.period, zone, now - new.grace_hours * HOUR_MS).map_or(now, |(_, bounds)| bounds.until_at);
        let schedule = BillSchedule {
            institution: institution.id,
            provider: new.provider,
            period: new.period,
            issue: new.issue,
            grace_hours: new.grace_hours,
            closed_until,
            due_at: due_at(new.period, zone, closed_until, new.grace_hours),
            changed_at: now,
        };
        self.store.put_schedule(&schedule).await?;
        Ok(schedule)
    }

    /// That of all providers first, where there is one.
    pub async fn schedules(&self, institution: InstitutionId) -> Result<Vec<BillSchedule>> {
        self.store.list_schedules(institution).await
    }

    pub async fn schedule(
        &self,
        institution: InstitutionId,
        provider: Option<MerchantId>,
    ) -> Result<Option<BillSchedule>> {
        let all = self.store.list_schedules(institution).await?;
        Ok(all.into_iter().find(|schedule| schedule.provider == provider))
    }

    /// Whether there was one. A provider without one of its own follows that of all.
    pub async fn remove_schedule(&self, institution: InstitutionId, provider: Option<MerchantId>) -> Result<bool> {
        self.store.remove_schedule(institution, provider).await
    }

    /// Begins the bills of periods that ended, and the credit notes of what no bill takes; how many. A stop in between repeats
    /// what was begun, which changes nothing. After a long pause one bill takes all that was missed, because each takes what is
    /// in no bill yet. Costs one look-up by index when nothing is due.
    pub async fn close_due(&self) -> Result<u64> {
        let now = self.env.now_ms();
        let mut begun = 0;
        for schedule in self.store.due_schedules(now, SCHEDULES_AT_ONCE).await? {
            match self.close_scheduled(schedule).await {
                Ok(count) => begun += count,
                // The others are not to wait for this one.
                Err(error) => {
                    tracing::warn!(institution.id = %schedule.institution, %error, "a period was not closed; it is tried again");
                    let later = BillSchedule {
                        due_at: Some(now + AGAIN_MS),
                        ..schedule
                    };
                    self.store.move_schedule(&later).await?;
                }
            }
        }
        Ok(begun)
    }

    async fn close_scheduled(&self, mut schedule: BillSchedule) -> Result<u64> {
        let institution = self.institution(schedule.institution).await?;
        let (zone, grace) = (&institution.time_zone, schedule.grace_hours);
        let over = last_over(schedule.period, zone, self.env.now_ms() - grace * HOUR_MS);
        let mut begun = 0;
        if let Some((period, bounds)) = over.filter(|(_, bounds)| bounds.until_at > schedule.closed_until) {
            begun += self.close_period(&institution, schedule, period, bounds).await?;
            schedule.closed_until = bounds.until_at;
        }
        schedule.due_at = due_at(schedule.period, zone, schedule.closed_until, grace);
        self.store.move_schedule(&schedule).await?;
        Ok(begun)
    }

    async fn close_period(
        &self,
        institution: &Institution,
        schedule: BillSchedule,
        period: BillPeriod,
        bounds: Bounds,
    ) -> Result<u64> {
        let others: Vec<MerchantId> = match schedule.provider {
            Some(_) => Vec::new(),
            None => {
                let all = self.store.list_schedules(institution.id).await?;
                all.into_iter().filter_map(|schedule| schedule.provider).collect()
            }
        };
        let covers = |provider: MerchantId| match schedule.provider {
            Some(only) => provider == only,
            None => !others.contains(&provider),
        };
        let riding = self.store.list_unbilled(institution.id, bounds.until_at).await?;
        let mut begun = 0;
        for (provider, currency) in riding.iter().copied().filter(|(provider, _)| covers(*provider)) {
            let close = CloseBill {
                provider,
                period,
                currency,
                issue: schedule.issue,
            };
            begun += u64::from(self.close(institution, &close).await?.is_ok());
        }
        for id in self.store.list_to_credit(institution.id).await? {
            let Some(bill) = self.store.find_bill(id).await? else {
                continue;
            };
            // With rides in the period its bill takes the refunds; what does not fit waits for the next.
            let was_before = bill.until_at <= bounds.from_at && !riding.contains(&(bill.provider, bill.currency));
            if covers(bill.provider) && was_before && matches!(bill.state, BillState::Issued { .. }) {
                begun += u64::from(self.credit(institution.id, id, schedule.issue).await?.is_ok());
            }
        }
        Ok(begun)
    }
}

/// The newest period that is over.
fn last_over(kind: PeriodKind, zone: &str, now: i64) -> Option<(BillPeriod, Bounds)> {
    let today = Date::of_days(local_time(now, zone).day)?;
    let period = BillPeriod::containing(kind, today)?.before()?;
    Some((period, Bounds::of(period, zone)))
}

/// When the period after `closed_until` is closed; `None` for own dates.
fn due_at(kind: PeriodKind, zone: &str, closed_until: i64, grace_hours: i64) -> Option<i64> {
    let day = Date::of_days(local_time(closed_until, zone).day)?;
    let period = BillPeriod::containing(kind, day)?;
    Some(Bounds::of(period, zone).until_at + grace_hours * HOUR_MS)
}
