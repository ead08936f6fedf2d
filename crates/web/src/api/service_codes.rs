//! Showing a code: one for each access. Rows S01, S04, S08, S09, S13.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onescan_domain::codes::CodeStatus;
use onescan_platforms::codes::ServiceCode;
use onescan_platforms::processing::render::{Form, render};
use onescan_platforms::processing::request::{AccessInfo, WantedCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{ClientAddress, Json, Path};
use super::wire::{CodeRef, Id, InstitutionRef, Moment, PaymentRef, Wrong};
use crate::AppState;
use crate::auth::AsPerson;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let both = [
        post("/v1/service-codes", create)
            .says("createServiceCode", "A code for this access alone")
            .about(
                "A new code of the same device ends the one before the last. The address is taken from the connection. Digits \
                 are shown here once and stand in no URL.",
            )
            .caller(Caller::Person)
            .takes::<NewServiceCode>()
            .answers::<ServiceCodeView>(StatusCode::CREATED, "The code, with what was asked to be rendered")
            .refuses(&[Code::InvalidFields, Code::NotEnabled, Code::RecordInactive, Code::NotTied]),
        get("/v1/service-codes/{service_code}", status)
            .says("getServiceCodeStatus", "Where a code stands")
            .about("For your own codes: unpaid, then paid, then invoice issued. An id nothing was paid with reads as unpaid.")
            .caller(Caller::Person)
            .answers::<ServiceCodeStatus>(StatusCode::OK, "Its status, read from the payment and the invoice"),
    ];
    both.into_iter().map(|endpoint| endpoint.tag("service-codes")).collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "user", "device": "phone-1", "render": ["qr.svg"]}))]
struct NewServiceCode {
    kind: WantedKind,
    /// With `institution`: through which institution you pay.
    institution: Option<InstitutionRef>,
    /// An id your app or browser keeps, 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128)]
    device: String,
    /// Where you are, 1 to 100 characters.
    #[schema(max_length = 100)]
    location: Option<String>,
    /// `qr.svg`, `qr.png`, `barcode.svg`, `barcode.png`, `sound.wav`.
    #[serde(default)]
    #[schema(max_items = 5)]
    render: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WantedKind {
    User,
    Institution,
}

/// A code as it is shown, once.
#[derive(Serialize, ToSchema)]
#[schema(title = "ServiceCode")]
pub struct ServiceCodeView {
    pub id: CodeRef,
    /// `user` or `institution`.
    #[schema(value_type = String, example = "user")]
    pub kind: &'static str,
    /// 18 digits, the same in every form.
    #[schema(example = "281234567890123456")]
    pub digits: String,
    pub created_at: Moment,
    /// When the page should renew it.
    pub shown_until: Moment,
    /// When it can no longer be paid with.
    pub pay_until: Moment,
    /// By the names that were asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub renderings: BTreeMap<String, Rendering>,
}

/// A picture or a sound of a code.
#[derive(Serialize, ToSchema)]
pub struct Rendering {
    #[schema(value_type = String, example = "image/svg+xml")]
    media_type: &'static str,
    /// SVG, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl ServiceCodeView {
    pub fn of(code: &ServiceCode, forms: &[Form]) -> Result<Self, Problem> {
        let mut renderings = BTreeMap::new();
        for (form, name) in Form::ALL.into_iter().filter(|(form, _)| forms.contains(form)) {
            let bytes = render(&code.text, form, "Payment code")?;
            renderings.insert(name.to_owned(), Rendering::of(form, bytes));
        }
        Ok(Self {
            id: Id(code.id),
            kind: code.kind.name(),
            digits: code.text.as_str().to_owned(),
            created_at: Moment(code.created_at),
            shown_until: Moment(code.shown_until),
            pay_until: Moment(code.pay_until),
            renderings,
        })
    }
}

impl Rendering {
    fn of(form: Form, bytes: Vec<u8>) -> Self {
        let media_type = form.media_type();
        let (text, base64) = match form {
            Form::QrSvg | Form::BarcodeSvg => (Some(String::from_utf8_lossy(&bytes).into_owned()), None),
            Form::QrPng | Form::BarcodePng | Form::SoundWav => (None, Some(BASE64_STANDARD.encode(&bytes))),
        };
        Self {
            media_type,
            text,
            base64,
        }
    }
}

/// The forms behind their names; an unknown name is wrong.
pub fn read_forms(wrong: &mut Wrong, names: &[String]) -> Vec<Form> {
    if names.len() > Form::ALL.len() {
        wrong.add("render", format!("at most {}", Form::ALL.len()));
    }
    let read = |(place, name): (usize, &String)| {
        let form = Form::parse(name);
        if form.is_none() {
            let known: Vec<&str> = Form::ALL.iter().map(|(_, name)| *name).collect();
            wrong.add(format!("render[{place}]"), format!("use {}", known.join(", ")));
        }
        form
    };
    names.iter().enumerate().filter_map(read).collect()
}

/// From where a code is asked for.
pub fn read_access(
    wrong: &mut Wrong,
    device: &str,
    location: Option<&str>,
    ClientAddress(address): ClientAddress,
) -> AccessInfo {
    AccessInfo {
        device: wrong.line("device", device, 128),
        address,
        location: wrong.optional_line("location", location, 100),
    }
}

async fn create(
    person: AsPerson,
    address: ClientAddress,
    State(state): State<AppState>,
    Json(body): Json<NewServiceCode>,
) -> Result<(StatusCode, Json<ServiceCodeView>), Problem> {
    let mut wrong = Wrong::default();
    let info = read_access(&mut wrong, &body.device, body.location.as_deref(), address);
    let forms = read_forms(&mut wrong, &body.render);
    let wanted = match (body.kind, body.institution) {
        (WantedKind::User, None) => WantedCode::User,
        (WantedKind::Institution, Some(Id(institution))) => WantedCode::Institution(institution),
        (WantedKind::User, Some(_)) => {
            wrong.add("institution", "goes with kind institution only");
            WantedCode::User
        }
        (WantedKind::Institution, None) => {
            wrong.add("institution", "name the institution that pays");
            WantedCode::User
        }
    };
    wrong.finish()?;
    let code = state
        .services
        .processing
        .show_code(person.person, wanted, info)
        .await??;
    Ok((StatusCode::CREATED, Json(ServiceCodeView::of(&code, &forms)?)))
}

/// Where a code stands. Row S13.
#[derive(Debug, Serialize, ToSchema)]
struct ServiceCodeStatus {
    id: CodeRef,
    /// `unpaid`; `spent`: a payment was refused or undone, the code is dead; `paid`; `invoice_issued`.
    #[schema(value_type = String, example = "paid")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentRef>,
}

async fn status(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(id)): Path<CodeRef>,
) -> Result<Json<ServiceCodeStatus>, Problem> {
    let services = &state.services;
    let absent = || Problem::not_found("code");
    let (status, payment) = match services.processing.status(id).await? {
        CodeStatus::Unpaid => ("unpaid", None),
        CodeStatus::Spent { payment } => ("spent", Some(payment)),
        CodeStatus::Paid { payment } => ("paid", Some(payment)),
        CodeStatus::InvoiceIssued { payment } => ("invoice_issued", Some(payment)),
    };
    let own = match payment {
        Some(payment) => {
            let found = services.payments.find(payment).await?;
            found.is_some_and(|payment| payment.person == person.person)
        }
        // Nothing names it: an id in a bucket where none of the person's codes can lie is not theirs.
        None => services
            .processing
            .buckets_of(person.person)
            .await?
            .contains(&id.bucket()),
    };
    match own {
        true => Ok(Json(ServiceCodeStatus {
            id: Id(id),
            status,
            payment: payment.map(Id),
        })),
        false => Err(absent()),
    }
}
