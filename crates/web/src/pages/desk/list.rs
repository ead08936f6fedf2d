//! The list: searched, filtered, in pages, and as a file for spreadsheets.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use onescan_domain::ids::{InvoiceId, MemberId, MerchantId};
use onescan_domain::invoicing::{Invoice, InvoiceState};
use onescan_domain::money::Money;
use onescan_domain::text;
use onescan_platforms::invoicing::{InvoiceFilter, InvoiceScope};
use onescan_platforms::payments::Page as ListPage;
use serde::Deserialize;

use super::{Desk, Tab, day_of, state_badge};
use crate::files::{self, Table, TableForm};
use crate::pages::error::{PageResult, url_escape};
use crate::pages::html;
use crate::pages::page::Page;
use crate::{AppState, i18n};

const LISTED: u32 = 50;

/// As the form sends it; empty is any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Search {
    search: String,
    state: String,
    kind: String,
    /// `2026-11-23`
    from: String,
    /// The last day.
    until: String,
    member: String,
    scenario: String,
    after: String,
}

/// What can be chosen: value, text, whether it is.
pub struct Choice {
    pub value: String,
    pub text: String,
    pub chosen: bool,
}

struct Row {
    id: InvoiceId,
    number: Option<String>,
    is_credit: bool,
    /// Who is on the other side, and whose it is where that is not plain.
    parties: Vec<String>,
    order_number: String,
    on: String,
    amount: Money,
    /// Key of its word, and tone.
    state: (&'static str, &'static str),
}

#[derive(Template)]
#[template(path = "invoices.html")]
struct InvoicesPage<'a> {
    page: &'a Page,
    desk: &'a Desk,
    tabs: Vec<Tab>,
    search: &'a Search,
    problem: Option<String>,
    states: Vec<Choice>,
    members: Vec<Choice>,
    scenarios: Vec<Choice>,
    rows: Vec<Row>,
    /// Query of this search, without where it begins.
    query: String,
    /// Query of the next page.
    more: Option<String>,
}

impl Search {
    fn pairs(&self) -> [(&'static str, &str); 7] {
        [
            ("search", &self.search),
            ("state", &self.state),
            ("kind", &self.kind),
            ("from", &self.from),
            ("until", &self.until),
            ("member", &self.member),
            ("scenario", &self.scenario),
        ]
    }

    fn is_empty(&self) -> bool {
        self.pairs().iter().all(|(_, value)| value.is_empty())
    }

    /// Whether more than the search itself is set.
    fn is_fine(&self) -> bool {
        self.pairs()[1..].iter().any(|(_, value)| !value.is_empty())
    }

    fn query(&self, after: Option<&str>) -> String {
        let pairs = self.pairs().into_iter().chain(after.map(|after| ("after", after)));
        let set = pairs.filter(|(_, value)| !value.is_empty());
        let written = set.map(|(name, value)| format!("{name}={}", url_escape(value)));
        written.collect::<Vec<_>>().join("&")
    }

    /// The key of what is wrong with it, as an error.
    async fn filter(&self, state: &AppState, page: &Page) -> PageResult<Result<InvoiceFilter, &'static str>> {
        let day = |text: &str| match text {
            "" => Ok(None),
            text => i18n::bounds_of_day(text, &page.zone).map(Some).ok_or("date-shape"),
        };
        let (from, until) = match (day(&self.from), day(&self.until)) {
            (Ok(from), Ok(until)) => (from, until),
            (Err(key), _) | (_, Err(key)) => return Ok(Err(key)),
        };
        let Ok(search) = text::optional_line(Some(&self.search), 100) else {
            return Ok(Err("search-shape"));
        };
        let member = match self.member.parse::<MemberId>() {
            Ok(id) => state.services.institutions.member(id).await?,
            Err(_) => None,
        };
        Ok(Ok(InvoiceFilter {
            state: InvoiceState::parse(&self.state),
            kind: Some(self.kind.clone()).filter(|kind| !kind.is_empty()),
            from: from.map(|(start, _)| start),
            until: until.map(|(_, end)| end),
            search,
            person: member.map(|member| member.person),
            scenario: self.scenario.parse().ok(),
        }))
    }
}

pub async fn show(State(state): State<AppState>, desk: Desk, Query(search): Query<Search>) -> PageResult {
    let page = &desk.page;
    let (found, problem) = match (search.filter(&state, page).await?, &desk.scope) {
        (Err(key), _) => (Vec::new(), Some(page.t(key))),
        (Ok(_), None) => (Vec::new(), None),
        (Ok(filter), Some(scope)) => {
            let list_page = ListPage {
                after: Some(search.after.clone()).filter(|after| !after.is_empty()),
                limit: LISTED,
            };
            let found = state.services.invoices.list(scope, &filter, &list_page).await?;
            (found, None)
        }
    };
    let last = found.last().filter(|_| found.len() == LISTED as usize);
    let more = last.map(|invoice| search.query(Some(&invoice.id.stored())));
    let (members, scenarios) = choices(&state, &desk, &search).await?;
    let states = InvoiceState::ALL.iter().map(|state| Choice {
        value: state.name().to_owned(),
        text: page.t(&format!("invoice-state-{}", state.name())),
        chosen: search.state == state.name(),
    });
    let mut names = Names::default();
    let mut rows = Vec::with_capacity(found.len());
    for invoice in found {
        rows.push(row(&state, &desk, &mut names, invoice).await?);
    }
    html(&InvoicesPage {
        page,
        desk: &desk,
        tabs: desk.tabs("invoices"),
        states: states.collect(),
        members,
        scenarios,
        rows,
        query: search.query(None),
        more,
        problem,
        search: &search,
    })
}

/// Those looked up for one page.
#[derive(Default)]
struct Names {
    members: HashMap<MemberId, String>,
    merchants: HashMap<MerchantId, String>,
}

async fn row(state: &AppState, desk: &Desk, names: &mut Names, invoice: Invoice) -> PageResult<Row> {
    let buyer = invoice.buyer.as_ref().map(|buyer| buyer.title.clone());
    let mut parties = match desk.is_merchant() {
        true => vec![buyer.unwrap_or_default()],
        false => vec![seller_name(state, &mut names.merchants, &invoice).await?],
    };
    if let (true, Some(member)) = (desk.is_institution(), invoice.member) {
        parties.push(member_name(state, &mut names.members, member).await?);
    }
    parties.retain(|party| !party.is_empty());
    Ok(Row {
        on: day_of(&desk.page, &invoice),
        state: state_badge(&invoice),
        is_credit: invoice.kind.name() == "credit_note",
        id: invoice.id,
        number: invoice.number,
        parties,
        order_number: invoice.order_number,
        amount: invoice.amount,
    })
}

/// As the document has it; one that the merchant's own system keeps is told by the merchant's name.
pub async fn seller_name(
    state: &AppState,
    names: &mut HashMap<MerchantId, String>,
    invoice: &Invoice,
) -> PageResult<String> {
    if !invoice.seller_name.is_empty() {
        return Ok(invoice.seller_name.clone());
    }
    if let Some(name) = names.get(&invoice.merchant) {
        return Ok(name.clone());
    }
    let found = state.services.merchants.find(invoice.merchant).await?;
    let name = found.map_or_else(String::new, |merchant| merchant.name);
    names.insert(invoice.merchant, name.clone());
    Ok(name)
}

/// A member's name, looked up once.
pub async fn member_name(
    state: &AppState,
    names: &mut HashMap<MemberId, String>,
    member: MemberId,
) -> PageResult<String> {
    if let Some(name) = names.get(&member) {
        return Ok(name.clone());
    }
    let found = state.services.institutions.member(member).await?;
    let name = found.map_or_else(String::new, |member| member.name);
    names.insert(member, name.clone());
    Ok(name)
}

/// Members and scenarios that an institution has invoices of.
async fn choices(state: &AppState, desk: &Desk, search: &Search) -> PageResult<(Vec<Choice>, Vec<Choice>)> {
    let (true, Some(InvoiceScope::Record(bucket, record))) = (desk.is_institution(), &desk.scope) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let totals = state.services.invoices.totals(*bucket, record).await?;
    let mut names = HashMap::new();
    let mut members = Vec::new();
    for member in totals.iter().filter_map(|total| total.member) {
        if names.contains_key(&member) {
            continue;
        }
        let text = member_name(state, &mut names, member).await?;
        let value = member.to_string();
        members.push(Choice {
            chosen: search.member == value,
            value,
            text,
        });
    }
    members.sort_by(|one, other| one.text.cmp(&other.text));
    let scenarios = state.services.codes.scenarios(*bucket, record).await?;
    let scenarios = scenarios.into_iter().map(|scenario| Choice {
        value: scenario.id.to_string(),
        chosen: search.scenario == scenario.id.to_string(),
        text: scenario.name,
    });
    Ok((members, scenarios.collect()))
}

pub async fn csv(State(state): State<AppState>, desk: Desk, Query(search): Query<Search>) -> PageResult {
    export(&state, &desk, &search, TableForm::Csv).await
}

pub async fn xlsx(State(state): State<AppState>, desk: Desk, Query(search): Query<Search>) -> PageResult {
    export(&state, &desk, &search, TableForm::Excel).await
}

async fn export(state: &AppState, desk: &Desk, search: &Search, form: TableForm) -> PageResult {
    let Ok(filter) = search.filter(state, &desk.page).await? else {
        return Err(crate::pages::error::PageError::Unreadable);
    };
    let all = match &desk.scope {
        Some(scope) => {
            state
                .services
                .invoices
                .list_all(scope, &filter, files::ROWS_MAX)
                .await?
        }
        None => Vec::new(),
    };
    Ok(Table::of_invoices(&all).answer(form)?)
}
