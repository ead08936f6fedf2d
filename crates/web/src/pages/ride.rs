//! The ride code page: its device makes codes by itself; the server gives entitlements. Rows R03, R04.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_domain::ids::RideDeviceId;
use onescan_domain::rides::application::FormRefusal;
use onescan_gate::keys::Algorithm;
use onescan_platforms::ride_codes::{EnrolRefusal, GrantRefusal, IssueRefusal, Issued, NewRideDevice, RideDevice};
use serde::{Deserialize, Serialize};

use super::error::{PageError, PageResult};
use super::html;
use super::page::Page;
use super::rides;
use super::visit::PersonVisit;
use crate::{AppState, assets};

#[derive(Template)]
#[template(path = "ride.html")]
struct RidePage<'a> {
    page: &'a Page,
    person: String,
    devices: Vec<RideDevice>,
}

pub async fn show(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    let devices = state.services.ride_codes.devices(visit.person.id).await?;
    html(&RidePage {
        page: &visit.page,
        person: visit.person.id.to_string(),
        devices: devices
            .into_iter()
            .filter(|device| device.revoked_at.is_none())
            .collect(),
    })
}

/// The worker that keeps the page for when there is no network, with the folder of this program's files in front.
pub async fn worker() -> Response {
    let script = format!(
        "const FOLDER = \"{}\";\n{}",
        assets::folder(),
        assets::text("js/ride-worker.js").unwrap_or_default()
    );
    let headers = [
        (CONTENT_TYPE.as_str(), "text/javascript; charset=utf-8"),
        ("service-worker-allowed", "/ride"),
    ];
    (headers, script).into_response()
}

#[derive(Debug, Deserialize)]
pub struct NewDevice {
    algorithm: String,
    public_key: String,
    name: String,
}

/// What the page's script is told: scripts read JSON, and a refusal is an answer like another.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Told {
    Device { device: String },
    Entitlement(Entitlement),
    Refused { refused: &'static str },
}

#[derive(Debug, Serialize)]
pub struct Entitlement {
    entitlement: String,
    ends_at_ms: i64,
    renew_at_ms: i64,
    payer: &'static str,
    cap: String,
    /// Why a form that is there does not stand for the next ride.
    why: Option<String>,
}

pub async fn enrol(
    State(state): State<AppState>,
    visit: PersonVisit,
    Json(new): Json<NewDevice>,
) -> PageResult<Json<Told>> {
    let algorithm = Algorithm::parse(&new.algorithm).ok_or(PageError::Unreadable)?;
    let public_key = URL_SAFE_NO_PAD.decode(&new.public_key);
    let device = NewRideDevice {
        name: new.name,
        algorithm,
        public_key: public_key.map_err(|_| PageError::Unreadable)?,
    };
    let enrolled = state.services.ride_codes.enrol(visit.person.id, device).await?;
    Ok(Json(match enrolled {
        Ok(device) => Told::Device {
            device: device.id.to_string(),
        },
        Err(EnrolRefusal::TooMany { .. }) => Told::Refused { refused: "too-many" },
        Err(EnrolRefusal::Name(_) | EnrolRefusal::Key | EnrolRefusal::KeyTaken) => Told::Refused { refused: "failed" },
    }))
}

pub async fn issue(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path(device): Path<String>,
) -> PageResult<Json<Told>> {
    let device: RideDeviceId = device.parse().map_err(|_| PageError::NotFound)?;
    let issued = state.services.ride_codes.issue(visit.person.id, device).await?;
    Ok(Json(match issued {
        Ok(issued) => Told::Entitlement(entitlement(&visit.page, &issued)),
        Err(IssueRefusal::Unknown) => Told::Refused { refused: "unknown" },
        Err(IssueRefusal::Revoked) => Told::Refused { refused: "revoked" },
        Err(IssueRefusal::Grant(GrantRefusal::Arrears)) => Told::Refused { refused: "arrears" },
    }))
}

fn entitlement(page: &Page, issued: &Issued) -> Entitlement {
    let why = issued.form.err().filter(|why| *why != FormRefusal::NoForm);
    Entitlement {
        entitlement: URL_SAFE_NO_PAD.encode(&issued.entitlement),
        ends_at_ms: issued.ends_at,
        renew_at_ms: issued.renew_at,
        payer: issued.payer.name(),
        cap: page.money(&issued.cap),
        why: why.map(|why| page.t(&rides::form_key(why))),
    }
}

pub async fn revoke(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path(device): Path<String>,
) -> PageResult<Redirect> {
    let device: RideDeviceId = device.parse().map_err(|_| PageError::NotFound)?;
    match state.services.ride_codes.revoke(visit.person.id, device).await? {
        true => Ok(Redirect::to("/ride?done=ride-revoked")),
        false => Err(PageError::NotFound),
    }
}
