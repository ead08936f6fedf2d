//! Looking at a scanned code before paying. Rows S10-S12.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::codes::CodeText;
use onescan_domain::payments::PaymentRefusal;
use onescan_platforms::processing::payment::{Scanned, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, post};
use super::extract::Json;
use super::payments::CODE_PROBLEMS;
use super::wire::{Amount, CodeRef, Id, Moment, Wrong};
use crate::AppState;
use crate::auth::AsCashier;
use crate::problem::{Code, Problem, ProblemReason};

pub fn endpoints() -> Vec<Endpoint> {
    let scan = post("/v1/scans", scan)
        .says("scan", "Verify a scanned code")
        .about(
            "Checked in the order record, person, status, period. Tells the scenario of this payment and no other; its \
             permitted amount once an amount is stated. A barred amount is a verdict, not a problem: the person can pay \
             another way.",
        )
        .caller(Caller::Cashier)
        .takes::<NewScan>()
        .answers::<ScanView>(StatusCode::OK, "A code that can be paid with, and the verdict about the amount")
        .refuses(CODE_PROBLEMS)
        .refuses(&[Code::InvalidFields]);
    vec![scan.tag("scans")]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "281234567890123456", "amount": {"amount_minor": 1250, "currency": "EUR"}}))]
struct NewScan {
    /// The 18 digits that were scanned.
    #[schema(min_length = 18)]
    code: String,
    amount: Option<Amount>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Scan")]
struct ScanView {
    /// Stands for this access only; says nothing about the person.
    code: CodeRef,
    /// `user`: the person pays; `institution`: the institution pays through the person.
    #[schema(value_type = String, example = "user")]
    kind: &'static str,
    pay_until: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<ScenarioTold>,
    /// `permitted`, `barred`, or `no_scenario` when none fits this merchant. Absent when no amount was stated and one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "permitted")]
    verdict: Option<&'static str>,
    /// Why it is barred: every failed dimension, with what is left.
    reasons: Vec<ProblemReason>,
}

/// The scenario of this payment.
#[derive(Debug, Serialize, ToSchema)]
struct ScenarioTold {
    name: String,
    /// The most this payment may be; absent when there is no limit or no amount was stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    permitted_minor: Option<i64>,
}

impl From<Scanned> for ScanView {
    fn from(scanned: Scanned) -> Self {
        let (verdict, reasons) = match &scanned.verdict {
            Some(Verdict::Permitted) => (Some("permitted"), Vec::new()),
            Some(Verdict::Barred(decision)) => (Some("barred"), decision.failed().map(ProblemReason::from).collect()),
            Some(Verdict::NoScenario) => (Some("no_scenario"), Vec::new()),
            Some(Verdict::OtherCurrency { payer, asked }) => {
                let (payer, asked) = (*payer, *asked);
                let refusal = PaymentRefusal::CurrencyMismatch { payer, asked };
                (Some("barred"), Problem::from(&refusal).into_reasons())
            }
            None if scanned.scenario.is_none() => (Some("no_scenario"), Vec::new()),
            None => (None, Vec::new()),
        };
        let told = scanned.scenario.map(|scenario| ScenarioTold {
            name: scenario.name,
            permitted_minor: scenario.permitted_minor,
        });
        Self {
            code: Id(scanned.code),
            kind: scanned.kind.name(),
            pay_until: Moment(scanned.pay_until),
            scenario: told,
            verdict,
            reasons,
        }
    }
}

async fn scan(
    till: AsCashier,
    State(state): State<AppState>,
    Json(body): Json<NewScan>,
) -> Result<Json<ScanView>, Problem> {
    let mut wrong = Wrong::default();
    let amount = body.amount.map(|amount| wrong.positive("amount", amount));
    wrong.finish()?;
    let text = CodeText::parse(&body.code)?;
    let services = &state.services;
    let scanned = services.processing.scan(&till.facts, &text, amount).await?;
    let scanned = scanned.map_err(|refusal| Problem::of_scan(refusal, till.trust, services.env.now_ms()))?;
    Ok(Json(scanned.into()))
}
