//! Scenarios of a code record: what is allowed for which kind of spending. Rows S11, S12, S14.

use onescan_domain::codes::{Categories, CodeRecord, Scenario};
use onescan_domain::ids::ScenarioId;
use onescan_domain::policy::Policy;
use onescan_platforms::codes::Removed;
use onescan_platforms::expressions::cel;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::{Id, ListOf, Moment, ScenarioRef, Wrong};
use crate::AppState;
use crate::problem::{Problem, of_categories, of_policy};

/// A kind of spending and what is allowed for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Lunch", "categories": ["5811-5814"], "rules": ["amount <= 3000", "weekday in mon-fri", "clock in 11:00-15:00"]
}))]
pub struct ScenarioFields {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Merchant categories of ISO 18245: four digits, or a range of two. Empty: every category. The narrowest fitting
    /// scenario is the payment's.
    #[serde(default)]
    #[schema(max_items = 200)]
    categories: Vec<String>,
    /// All must hold. `dimension operator value`; the dimensions are listed at /v1/dimensions. Empty: everything is allowed.
    #[serde(default)]
    #[schema(max_items = 50)]
    rules: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Scenario")]
pub struct ScenarioView {
    pub id: ScenarioRef,
    pub name: String,
    pub categories: Vec<String>,
    pub rules: Vec<String>,
    pub created_at: Moment,
}

impl From<Scenario> for ScenarioView {
    fn from(scenario: Scenario) -> Self {
        let categories = scenario.categories.to_string();
        Self {
            id: Id(scenario.id),
            name: scenario.name,
            categories: categories
                .split(", ")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            rules: scenario.policy.to_string().lines().map(str::to_owned).collect(),
            created_at: Moment(scenario.created_at),
        }
    }
}

const RULES_MAX: usize = 50;
const CATEGORIES_MAX: usize = 200;

impl ScenarioFields {
    fn read(self, record: &CodeRecord, id: ScenarioId, created_at: i64) -> Result<Scenario, Problem> {
        let mut wrong = Wrong::default();
        let name = wrong.line("name", &self.name, 100);
        if self.rules.len() > RULES_MAX {
            wrong.add("rules", format!("at most {RULES_MAX}"));
        }
        if self.categories.len() > CATEGORIES_MAX {
            wrong.add("categories", format!("at most {CATEGORIES_MAX}"));
        }
        let categories = Categories::parse(&self.categories.join(",")).unwrap_or_else(|error| {
            wrong.push(of_categories(&error));
            Categories::default()
        });
        let policy = Policy::parse_new(&self.rules.join("\n"), cel()).unwrap_or_else(|error| {
            wrong.push(of_policy(&error));
            Policy::default()
        });
        wrong.finish()?;
        Ok(Scenario {
            id,
            record: record.id.clone(),
            name,
            categories,
            policy,
            created_at,
        })
    }
}

pub async fn list(state: &AppState, record: &CodeRecord) -> Result<ListOf<ScenarioView>, Problem> {
    let scenarios = state.services.codes.scenarios(record.bucket, &record.id).await?;
    Ok(ListOf::whole(scenarios.into_iter().map(ScenarioView::from).collect()))
}

pub async fn add(state: &AppState, record: &CodeRecord, fields: ScenarioFields) -> Result<ScenarioView, Problem> {
    let services = &state.services;
    let id = ScenarioId::new(services.env.id(record.bucket));
    let scenario = fields.read(record, id, services.env.now_ms())?;
    services.codes.put_scenario(record.bucket, scenario.clone()).await?;
    Ok(scenario.into())
}

/// Only a scenario of this record can be replaced.
pub async fn replace(
    state: &AppState,
    record: &CodeRecord,
    id: ScenarioId,
    fields: ScenarioFields,
) -> Result<ScenarioView, Problem> {
    let services = &state.services;
    let known = services.codes.scenarios(record.bucket, &record.id).await?;
    let known = known.into_iter().find(|scenario| scenario.id == id);
    let known = known.ok_or_else(|| Problem::not_found("scenario"))?;
    let scenario = fields.read(record, id, known.created_at)?;
    services.codes.put_scenario(record.bucket, scenario.clone()).await?;
    Ok(scenario.into())
}

pub async fn remove(state: &AppState, record: &CodeRecord, id: ScenarioId) -> Result<(), Problem> {
    match state
        .services
        .codes
        .remove_scenario(record.bucket, &record.id, id)
        .await?
    {
        Removed::Yes => Ok(()),
        Removed::NotThere => Err(Problem::not_found("scenario")),
    }
}
