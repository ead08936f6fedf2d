//! Ride codes for devices and gates: enrolment, entitlements, issuer's keys, deny list. Rows R03, R04.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_domain::money::Money;
use onescan_domain::rides::application::FormRefusal;
use onescan_gate::keys::Algorithm;
use onescan_platforms::ride_codes::{Issued, NewRideDevice, PublishedKey, RideDevice};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, delete, get, post};
use super::extract::{Json, Path, Query};
use super::wire::{Amount, ApplicationRef, CurrencyCode, Id, ListOf, Moment, RideDeviceRef};
use crate::AppState;
use crate::auth::{AsGate, AsPerson};
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/ride-devices", enrol)
            .says("enrolRideDevice", "Tie a device that will show your ride codes")
            .about("The device makes its key itself and keeps the private half. The same key again: the same device.")
            .caller(Caller::Person)
            .takes::<NewRideDeviceBody>()
            .answers::<RideDeviceView>(StatusCode::CREATED, "The device")
            .refuses(&[Code::InvalidFields, Code::Taken, Code::WrongState]),
        get("/v1/ride-devices", devices)
            .says("listRideDevices", "Your devices")
            .caller(Caller::Person)
            .answers::<ListOf<RideDeviceView>>(StatusCode::OK, "Revoked ones too, the oldest first"),
        delete("/v1/ride-devices/{ride_device}", revoke)
            .says("revokeRideDevice", "Revoke a device")
            .about("No entitlement from now on; gates refuse it with their next deny list.")
            .caller(Caller::Person)
            .answers_empty("Worth nothing from now on"),
        post("/v1/ride-devices/{ride_device}/entitlements", issue)
            .says("issueRideEntitlement", "What the device may show for the next hours")
            .about("The device puts it into every code and signs time and counter around it, without the server.")
            .caller(Caller::Person)
            .answers::<EntitlementView>(StatusCode::CREATED, "Signed by the issuer")
            .refuses(&[Code::WrongState, Code::InArrears]),
        get("/v1/ride-issuer-keys", keys)
            .says("listRideIssuerKeys", "Keys that gates check ride codes with")
            .answers::<ListOf<IssuerKeyView>>(StatusCode::OK, "The last, today's and the next"),
        get("/v1/ride-deny-list", deny_list)
            .says("getRideDenyList", "Devices that gates refuse")
            .about("Whole, or what changed since a version. Signed anew at each call, so that its age is that of the call.")
            .caller(Caller::Gate)
            .query::<SinceQuery>()
            .answers::<DenyListView>(StatusCode::OK, "COSE_Sign1 of the issuer"),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("ride-codes")).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmName {
    Ed25519,
    /// ECDSA with P-256 and SHA-256.
    P256,
}

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::Ed25519 => Self::Ed25519,
            AlgorithmName::P256 => Self::P256,
        }
    }
}

impl From<Algorithm> for AlgorithmName {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::P256 => Self::P256,
        }
    }
}

/// Bytes as base64 for URLs, without `=`.
pub fn read_bytes(field: &'static str, text: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Problem::invalid(field, "send base64 for URLs (RFC 4648, section 5) without ="))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRideDeviceBody {
    /// What the person calls it, 1 to 100 characters.
    #[schema(example = "Phone", min_length = 1, max_length = 100)]
    name: String,
    algorithm: AlgorithmName,
    /// Base64 for URLs without `=`: 32 bytes of Ed25519, or a point of P-256 in SEC 1 form.
    #[schema(max_length = 100)]
    public_key: String,
}

impl NewRideDeviceBody {
    pub fn read(self) -> Result<NewRideDevice, Problem> {
        Ok(NewRideDevice {
            public_key: read_bytes("public_key", &self.public_key)?,
            name: self.name,
            algorithm: self.algorithm.into(),
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideDevice")]
pub struct RideDeviceView {
    id: RideDeviceRef,
    name: String,
    algorithm: AlgorithmName,
    /// What deny lists and taps call it.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    fingerprint: String,
    created_at: Moment,
    /// When the last of its entitlements ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    entitled_until: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Moment>,
}

impl From<RideDevice> for RideDeviceView {
    fn from(device: RideDevice) -> Self {
        Self {
            id: Id(device.id),
            name: device.name,
            algorithm: device.algorithm.into(),
            fingerprint: device.fingerprint.hex(),
            created_at: Moment(device.created_at),
            entitled_until: (device.entitled_until > 0).then_some(Moment(device.entitled_until)),
            revoked_at: device.revoked_at.map(Moment),
        }
    }
}

/// What a device shows for the next hours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideEntitlement")]
pub struct EntitlementView {
    /// COSE_Sign1 as base64 for URLs without `=`.
    entitlement: String,
    /// `person` or `institution`: who is asked first.
    #[schema(value_type = String, example = "person")]
    payer: &'static str,
    /// The form that stands for the next ride.
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<ApplicationRef>,
    /// Why no form stands for it: `no_form`, `expired`, `in_use` …
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "in_use")]
    why: Option<&'static str>,
    /// The most one ride may cost.
    cap: Amount,
    ends_at: Moment,
    /// When a device that is online should ask for the next.
    renew_at: Moment,
}

impl From<Issued> for EntitlementView {
    fn from(issued: Issued) -> Self {
        let Money { minor, currency } = issued.cap;
        Self {
            entitlement: URL_SAFE_NO_PAD.encode(issued.entitlement),
            payer: issued.payer.name(),
            application: issued.form.ok().map(Id),
            why: issued.form.err().map(FormRefusal::name),
            cap: Amount {
                amount_minor: minor,
                currency: CurrencyCode(currency),
            },
            ends_at: Moment(issued.ends_at),
            renew_at: Moment(issued.renew_at),
        }
    }
}

async fn enrol(
    person: AsPerson,
    State(state): State<AppState>,
    Json(body): Json<NewRideDeviceBody>,
) -> Result<(StatusCode, Json<RideDeviceView>), Problem> {
    let device = state.services.ride_codes.enrol(person.person, body.read()?).await??;
    Ok((StatusCode::CREATED, Json(device.into())))
}

async fn devices(person: AsPerson, State(state): State<AppState>) -> Result<Json<ListOf<RideDeviceView>>, Problem> {
    let devices = state.services.ride_codes.devices(person.person).await?;
    Ok(Json(ListOf::whole(
        devices.into_iter().map(RideDeviceView::from).collect(),
    )))
}

async fn revoke(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(device)): Path<RideDeviceRef>,
) -> Result<StatusCode, Problem> {
    match state.services.ride_codes.revoke(person.person, device).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("device in force")),
    }
}

async fn issue(
    person: AsPerson,
    State(state): State<AppState>,
    Path(Id(device)): Path<RideDeviceRef>,
) -> Result<(StatusCode, Json<EntitlementView>), Problem> {
    let issued = state.services.ride_codes.issue(person.person, device).await??;
    Ok((StatusCode::CREATED, Json(issued.into())))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideIssuerKey")]
struct IssuerKeyView {
    /// As it stands in codes.
    #[schema(pattern = "^[0-9a-f]{8}$")]
    id: String,
    algorithm: AlgorithmName,
    /// Base64 for URLs without `=`.
    public_key: String,
    from: Moment,
    /// Nothing it signed is good after.
    until: Moment,
}

impl From<PublishedKey> for IssuerKeyView {
    fn from(published: PublishedKey) -> Self {
        Self {
            id: published.key.id().hex(),
            algorithm: published.key.algorithm().into(),
            public_key: URL_SAFE_NO_PAD.encode(published.key.bytes()),
            from: Moment(published.from),
            until: Moment(published.until),
        }
    }
}

async fn keys(State(state): State<AppState>) -> Json<ListOf<IssuerKeyView>> {
    let keys = state.services.ride_codes.published_keys();
    Json(ListOf::whole(keys.into_iter().map(IssuerKeyView::from).collect()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SinceQuery {
    /// The version that is there; without it the whole list is answered.
    #[param(minimum = 0)]
    since: Option<u64>,
}

/// A deny list, or what changed in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideDenyList")]
struct DenyListView {
    /// COSE_Sign1 as base64 for URLs without `=`; its payload is
    /// `[since or null, version, issued_at in seconds, added, removed]`, the last two as fingerprints of eight bytes, sorted.
    document: String,
}

async fn deny_list(
    _: AsGate,
    State(state): State<AppState>,
    Query(query): Query<SinceQuery>,
) -> Result<Json<DenyListView>, Problem> {
    let document = state.services.ride_codes.deny_list(query.since).await?;
    Ok(Json(DenyListView {
        document: URL_SAFE_NO_PAD.encode(document),
    }))
}
