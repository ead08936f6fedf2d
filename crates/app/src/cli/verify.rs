//! `onescan verify`.

use anyhow::Result;
use onescan_platforms::payments::PaymentStore;

use super::output::Record;
use super::{Desk, Finding};

/// Recomputes every invariant from the rows, reads every issued document, and prints what each means; the first breaches of a broken one follow it.
pub(super) async fn run(desk: &Desk) -> Result<Finding> {
    let house = desk.house().await?;
    let mut reports = house.store.audit().await?;
    reports.push(house.store.audit_documents(&*house.documents).await?);
    house.close().await;
    let broken = reports.iter().filter(|report| !report.breaches.is_empty()).count();
    let records = reports.iter().map(|report| {
        let verdict = if report.breaches.is_empty() { "holds" } else { "BROKEN" };
        Record::new()
            .with("invariant", report.name)
            .with("verdict", verdict)
            .with("meaning", report.meaning)
            .with("breaches", report.breaches.clone())
    });
    desk.output.list(records.collect(), "there are no invariants")?;
    match broken {
        0 => Ok(Finding::Well),
        broken => {
            desk.output
                .say(&format!("{broken} of {} invariants are broken", reports.len()))?;
            Ok(Finding::Wrong)
        }
    }
}
