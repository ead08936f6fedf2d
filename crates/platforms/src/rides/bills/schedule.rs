//! Periods that are closed by themselves when they are over.

use onescan_domain::calendar::Date;
use onescan_domain::ids::InstitutionId;
use onescan_domain::institutions::Institution;
use onescan_domain::rides::bill::{BillPeriod, IssueWhen, PeriodKind};

use super::{BillSchedule, Bills, Bounds, CloseBill};
use crate::env::local_time;
use crate::error::Result;

const HOUR_MS: i64 = 3_600_000;

impl Bills {
    /// From now on each period that ends is closed with every provider that has rides, `grace_hours` after its end. `period`: not
    /// own dates.
    pub async fn put_schedule(
        &self,
        institution: &Institution,
        period: PeriodKind,
        issue: IssueWhen,
        grace_hours: i64,
    ) -> Result<BillSchedule> {
        let now = self.env.now_ms();
        let closed_until = last_over(period, &institution.time_zone, now - grace_hours * HOUR_MS)
            .map_or(now, |(_, bounds)| bounds.until_at);
        let schedule = BillSchedule {
            institution: institution.id,
            period,
            issue,
            grace_hours,
            closed_until,
            changed_at: now,
        };
        self.store.put_schedule(&schedule).await?;
        Ok(schedule)
    }

    pub async fn schedule(&self, institution: InstitutionId) -> Result<Option<BillSchedule>> {
        self.store.find_schedule(institution).await
    }

    /// Whether there was one.
    pub async fn remove_schedule(&self, institution: InstitutionId) -> Result<bool> {
        self.store.remove_schedule(institution).await
    }

    /// Begins the bills of periods that ended; how many. A stop in between repeats what was begun, which changes nothing. After a
    /// long pause one bill takes all that was missed, because each takes what is in no bill yet.
    pub async fn close_due(&self) -> Result<u64> {
        let mut begun = 0;
        for schedule in self.store.list_schedules().await? {
            begun += self.close_scheduled(schedule).await?;
        }
        Ok(begun)
    }

    async fn close_scheduled(&self, mut schedule: BillSchedule) -> Result<u64> {
        let institution = self.institution(schedule.institution).await?;
        let now = self.env.now_ms();
        let over = last_over(
            schedule.period,
            &institution.time_zone,
            now - schedule.grace_hours * HOUR_MS,
        );
        let Some((period, bounds)) = over.filter(|(_, bounds)| bounds.until_at > schedule.closed_until) else {
            return Ok(0);
        };
        let mut begun = 0;
        for (provider, currency) in self.store.list_unbilled(institution.id, bounds.until_at).await? {
            let close = CloseBill {
                provider,
                period,
                currency,
                issue: schedule.issue,
            };
            begun += u64::from(self.close(&institution, &close).await?.is_ok());
        }
        schedule.closed_until = bounds.until_at;
        self.store.move_schedule(&schedule).await?;
        Ok(begun)
    }
}

/// The newest period that is over.
fn last_over(kind: PeriodKind, zone: &str, now: i64) -> Option<(BillPeriod, Bounds)> {
    let today = Date::of_days(local_time(now, zone).day)?;
    let period = BillPeriod::containing(kind, today)?.before()?;
    Some((period, Bounds::of(period, zone)))
}
