//! Which periods are closed by themselves, and when the next one is due.

use onescan_domain::ids::{InstitutionId, MerchantId};
use onescan_domain::rides::bill::{IssueWhen, PeriodKind};
use onescan_platforms::error::Result;
use onescan_platforms::rides::bills::BillSchedule;

use crate::decode::{id, parsed};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::{Store, params, statements};

macro_rules! columns {
    () => {
        "institution_id, merchant_id, period, issue, grace_hours, closed_until, due_at, changed_at"
    };
}

statements! {
    PUT = concat!(
        "insert into ride_bill_schedules (bucket, ", columns!(), ") values (:bucket, :institution::text, :provider::text, \
         :period::text, :issue::text, :grace, :closed_until, :due, :now) \
         on conflict (bucket, institution_id, merchant_id) do update set period = excluded.period, issue = excluded.issue, \
         grace_hours = excluded.grace_hours, closed_until = excluded.closed_until, due_at = excluded.due_at, \
         changed_at = excluded.changed_at"
    );
    MOVE =
        "update ride_bill_schedules set closed_until = :closed_until, due_at = :due
         where bucket = :bucket and institution_id = :institution::text and merchant_id = :provider::text
             and changed_at = :seen";
    REMOVE =
        "delete from ride_bill_schedules
         where bucket = :bucket and institution_id = :institution::text and merchant_id = :provider::text";
    LIST = concat!(
        "select ", columns!(), " from ride_bill_schedules where bucket = :bucket and institution_id = :institution::text \
         order by merchant_id"
    );
    DUE_ALL_BUCKETS = concat!(
        "select ", columns!(), " from ride_bill_schedules where due_at is not null and due_at <= :now \
         order by due_at limit :limit"
    );
}

impl Store {
    pub(super) async fn put_schedule_row(&self, schedule: &BillSchedule) -> Result<()> {
        let mut row = key(schedule.institution, schedule.provider);
        row.extend(params![
            schedule.period.name(),
            schedule.issue.name(),
            schedule.grace_hours,
            schedule.closed_until,
            schedule.due_at,
            schedule.changed_at
        ]);
        Ok(self.change_one(&PUT, row).await?)
    }

    pub(super) async fn move_schedule_row(&self, schedule: &BillSchedule) -> Result<()> {
        let mut row = params![schedule.closed_until, schedule.due_at];
        row.extend(key(schedule.institution, schedule.provider));
        row.extend(params![schedule.changed_at]);
        Ok(self.change(&MOVE, row).await.map(drop)?)
    }

    pub(super) async fn remove_schedule_row(
        &self,
        institution: InstitutionId,
        provider: Option<MerchantId>,
    ) -> Result<bool> {
        Ok(self.change(&REMOVE, key(institution, provider)).await? == 1)
    }

    pub(super) async fn list_schedule_rows(&self, institution: InstitutionId) -> Result<Vec<BillSchedule>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let rows = self.list_long(&LIST, key).await?;
        Ok(rows.iter().map(schedule).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn due_schedule_rows(&self, now: i64, limit: u32) -> Result<Vec<BillSchedule>> {
        let rows = self.db.query(&DUE_ALL_BUCKETS, params![now, limit]).await?;
        Ok(rows.iter().map(schedule).collect::<Result<_, DbError>>()?)
    }
}

/// No provider: all that have no row of their own.
fn key(institution: InstitutionId, provider: Option<MerchantId>) -> Vec<Value> {
    let provider = provider.map(MerchantId::stored).unwrap_or_default();
    params![institution.bucket().number(), institution.stored(), provider]
}

fn schedule(row: &Row) -> Result<BillSchedule, DbError> {
    let provider = match row.text(1)? {
        "" => None,
        _ => Some(id(row, 1, MerchantId::new)?),
    };
    Ok(BillSchedule {
        institution: id(row, 0, InstitutionId::new)?,
        provider,
        period: parsed(row, 2, "period", PeriodKind::parse)?,
        issue: parsed(row, 3, "when to issue", IssueWhen::parse)?,
        grace_hours: row.int(4)?,
        closed_until: row.int(5)?,
        due_at: row.opt_int(6)?,
        changed_at: row.int(7)?,
    })
}
