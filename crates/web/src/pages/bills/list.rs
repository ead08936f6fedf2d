//! Bills, newest first; for the institution also what waits for one, and its schedules.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use onescan_domain::ids::{BillId, MerchantId};
use onescan_domain::money::Money;
use onescan_domain::rides::bill::{Bill, BillState};
use onescan_platforms::payments::Page as ListPage;
use onescan_platforms::rides::bills::BillPreview;
use serde::Deserialize;

use super::schedule::{ScheduleRow, schedule_rows};
use super::{BillDesk, period_of, state_badge};
use crate::AppState;
use crate::pages::error::PageResult;
use crate::pages::html;
use crate::pages::page::Page;

const LISTED: u32 = 50;

#[derive(Template)]
#[template(path = "bills.html")]
pub struct BillsPage<'a> {
    page: &'a Page,
    desk: &'a BillDesk,
    pub problem: Option<String>,
    running: Vec<RunningRow>,
    schedules: Vec<ScheduleRow>,
    /// Id and name, for a schedule of one provider.
    providers: Vec<(String, String)>,
    rows: Vec<BillRow>,
    /// Id after which the next page begins.
    next: Option<String>,
}

struct BillRow {
    id: BillId,
    number: Option<String>,
    is_note: bool,
    other: String,
    period: String,
    rides: i64,
    total: Money,
    state: (&'static str, &'static str),
}

struct RunningRow {
    provider: String,
    current: Waiting,
    over: Option<Waiting>,
}

/// Rides of a period in no bill.
struct Waiting {
    period: String,
    rides: i64,
    charged: Money,
    /// The page that closes it.
    close: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    after: Option<String>,
}

pub async fn show(State(state): State<AppState>, desk: BillDesk, Query(query): Query<ListQuery>) -> PageResult {
    let after: Option<BillId> = query.after.and_then(|text| text.parse().ok());
    html(&bills_page(&state, &desk, after, None).await?)
}

pub async fn bills_page<'a>(
    state: &AppState,
    desk: &'a BillDesk,
    after: Option<BillId>,
    problem: Option<String>,
) -> PageResult<BillsPage<'a>> {
    let page = ListPage {
        after: after.map(BillId::stored),
        limit: LISTED,
    };
    let found = state.services.bills.list(desk.scope(), &page).await?;
    let is_full = found.len() == LISTED as usize;
    let next = found.last().filter(|_| is_full).map(|bill| bill.id.to_string());
    let mut rows = Vec::with_capacity(found.len());
    for bill in found {
        rows.push(bill_row(state, desk, bill).await?);
    }
    let mut shown = BillsPage {
        page: &desk.page,
        desk,
        problem,
        running: Vec::new(),
        schedules: Vec::new(),
        providers: Vec::new(),
        rows,
        next,
    };
    if let Ok(institution) = desk.institution() {
        let bills = &state.services.bills;
        let mut names = Names::default();
        for running in bills.running(institution).await? {
            let provider = names.of(state, running.provider).await?;
            let waiting = |preview: BillPreview| waiting(desk, running.provider, preview);
            shown.running.push(RunningRow {
                provider,
                current: waiting(running.current),
                over: running.over.map(waiting),
            });
        }
        shown.schedules = schedule_rows(state, desk, institution.id, &mut names).await?;
        shown.providers = names.known();
    }
    Ok(shown)
}

async fn bill_row(state: &AppState, desk: &BillDesk, bill: Bill) -> PageResult<BillRow> {
    Ok(BillRow {
        id: bill.id,
        is_note: bill.corrects.is_some(),
        other: desk.other(state, &bill).await?,
        period: period_of(&desk.page, bill.period),
        rides: bill.tally.rides,
        total: bill.total(),
        state: state_badge(&bill),
        number: match bill.state {
            BillState::Issued { number, .. } => Some(number),
            BillState::Closing | BillState::Closed | BillState::Issuing | BillState::Failed { .. } => None,
        },
    })
}

fn waiting(desk: &BillDesk, provider: MerchantId, preview: BillPreview) -> Waiting {
    let (kind, on, currency) = (
        preview.period.kind().name(),
        preview.period.first_on(),
        preview.currency.code(),
    );
    Waiting {
        period: period_of(&desk.page, preview.period),
        rides: preview.rides,
        charged: Money::new(preview.charged_minor, preview.currency),
        close: format!(
            "{}/close?provider={provider}&period={kind}&on={on}&currency={currency}",
            desk.base
        ),
    }
}

/// Providers' names that rows need again and again.
#[derive(Default)]
pub struct Names {
    known: HashMap<MerchantId, String>,
}

impl Names {
    pub async fn of(&mut self, state: &AppState, id: MerchantId) -> PageResult<String> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let found = state.services.merchants.find(id).await?;
        let name = found.map_or_else(|| id.to_string(), |merchant| merchant.name);
        self.known.insert(id, name.clone());
        Ok(name)
    }

    /// Id and name of each, by name.
    pub fn known(self) -> Vec<(String, String)> {
        let mut known: Vec<(String, String)> = self
            .known
            .into_iter()
            .map(|(id, name)| (id.to_string(), name))
            .collect();
        known.sort_by(|one, other| one.1.cmp(&other.1));
        known
    }
}
