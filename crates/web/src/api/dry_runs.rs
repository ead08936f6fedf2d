//! Would a payment be permitted? The decision with what every dimension saw.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::codes::parse_category;
use onescan_domain::ids::{PersonId, RawId};
use onescan_domain::payments::PaymentRefusal;
use onescan_domain::policy::Reason;
use onescan_platforms::processing::payment::Trial;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, post};
use super::extract::Json;
use super::scenarios::ScenarioView;
use super::wire::{Amount, Id, MerchantRef, Moment, PersonRef, Wrong};
use crate::AppState;
use crate::auth::AsRecordHolder;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let dry_run = post("/v1/code-records/{record}/dry-runs", rehearse)
        .says("dryRun", "Would a payment be permitted?")
        .about("With what every dimension saw. Nothing is written.")
        .caller(Caller::RecordHolder)
        .takes::<DryRun>()
        .answers::<DryRunView>(StatusCode::OK, "The decision")
        .refuses(&[Code::InvalidFields, Code::CurrencyMismatch]);
    vec![dry_run.tag("code-records")]
}

/// A payment that is only thought of: at `merchant`, or in `category` and `city`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": {"amount_minor": 1250, "currency": "EUR"}, "category": "5812", "city": "Utsunomiya"}))]
struct DryRun {
    amount: Amount,
    merchant: Option<MerchantRef>,
    /// ISO 18245, four digits; the merchant's when one is named.
    #[schema(pattern = "^[0-9]{4}$")]
    category: Option<String>,
    #[schema(max_length = 100)]
    city: Option<String>,
    /// Now, when absent.
    at: Option<Moment>,
    /// Whose spending counts; you, when absent.
    person: Option<PersonRef>,
}

/// The decision with its trace.
#[derive(Debug, Serialize, ToSchema)]
struct DryRunView {
    /// `permitted`, `barred` or `no_scenario`.
    #[schema(value_type = String, example = "barred")]
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<ScenarioView>,
    /// Every rule with what it saw.
    trace: Vec<TraceLine>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TraceLine {
    #[schema(value_type = String, example = "amount_day")]
    dimension: &'static str,
    #[schema(value_type = String, example = "<=")]
    operator: &'static str,
    /// Absent when the order does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    allowed: String,
    /// Whether what is asked for is so.
    holds: bool,
    /// `holds`, `fails` or `unknown`, of the condition as it is written; unknown is never permission.
    #[schema(value_type = String, example = "fails")]
    verdict: &'static str,
    /// It stands under `not`.
    negated: bool,
    /// It does not hold, but another branch of an `any of` does.
    excused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<i64>,
}

impl From<&Reason> for TraceLine {
    fn from(reason: &Reason) -> Self {
        let dimension = reason.dimension();
        Self {
            dimension: dimension.name(),
            operator: reason.operator().sign(),
            seen: reason.seen.as_ref().map(|seen| seen.text(dimension)),
            allowed: reason.condition.allowed().text(dimension),
            holds: reason.satisfied(),
            verdict: reason.verdict.name(),
            negated: reason.negated,
            excused: reason.excused,
            left: reason.left,
        }
    }
}

async fn rehearse(
    holder: AsRecordHolder,
    State(state): State<AppState>,
    Json(body): Json<DryRun>,
) -> Result<Json<DryRunView>, Problem> {
    let trial = trial(&state, &holder, body).await?;
    let view = match state.services.processing.rehearse(holder.record(), &trial).await? {
        Some((scenario, decision)) => DryRunView {
            verdict: if decision.allowed() { "permitted" } else { "barred" },
            scenario: Some(scenario.into()),
            trace: decision.trace.iter().map(TraceLine::from).collect(),
        },
        None => DryRunView {
            verdict: "no_scenario",
            scenario: None,
            trace: Vec::new(),
        },
    };
    Ok(Json(view))
}

async fn trial(state: &AppState, holder: &AsRecordHolder, body: DryRun) -> Result<Trial, Problem> {
    let merchant = match body.merchant {
        Some(Id(id)) => state.services.merchants.find(id).await?,
        None => None,
    };
    let mut wrong = Wrong::default();
    if body.merchant.is_some() && merchant.is_none() {
        wrong.add("merchant", "there is no such merchant");
    }
    let amount = wrong.positive("amount", body.amount);
    let stated = body.category.as_deref().map(|text| {
        parse_category(text).unwrap_or_else(|| {
            wrong.add("category", "use the four digits of ISO 18245, such as 5812");
            0
        })
    });
    let category = stated.or(merchant.as_ref().map(|merchant| merchant.category));
    if category.is_none() && body.merchant.is_none() {
        wrong.add("category", "name a category or a merchant");
    }
    let city = wrong.optional_line("city", body.city.as_deref(), 100);
    wrong.finish()?;
    let (payer, asked) = (holder.record().currency, amount.currency);
    if payer != asked {
        return Err((&PaymentRefusal::CurrencyMismatch { payer, asked }).into());
    }
    // A key has no spending of its own: counters start at nothing.
    let nobody = PersonId::new(RawId::from_parts(0, holder.record().bucket, 0));
    let person = body.person.map(|Id(person)| person).or(holder.person());
    Ok(Trial {
        person: person.unwrap_or(nobody),
        amount,
        category: category.unwrap_or_default(),
        merchant: merchant.map(|merchant| merchant.id),
        city: city.unwrap_or_default(),
        at: body.at.map_or_else(|| state.services.env.now_ms(), |at| at.0),
    })
}
