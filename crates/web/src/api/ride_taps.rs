//! What gates saw: journals taken in, told to other gates of the provider, and shown to the provider. Row R04.

use axum::extract::State;
use axum::http::StatusCode;
use onescan_domain::ids::TapId;
use onescan_domain::rides::tap::ClockFault;
use onescan_gate::keys::{Fingerprint, PublicKey};
use onescan_platforms::ride_codes::{Journal, StoredTap, TapPage, Uploaded};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::{Json, Query};
use super::ride_codes::{AlgorithmName, read_bytes};
use super::wire::{Id, ListOf, Moment, PersonRef, TapRef, TerminalRef, Wrong};
use crate::AppState;
use crate::auth::{AsGate, AsMerchantReader};
use crate::problem::{Code, Problem};

/// Records of one upload: with a JSON body of 64 KiB.
const RECORDS_MAX: usize = 64;
const PAGE_MAX: u32 = 500;

pub fn endpoints() -> Vec<Endpoint> {
    let all = [
        post("/v1/gate-journals", open)
            .says("openGateJournal", "Announce the key of your journal")
            .about("Again: where the journal stands here.")
            .caller(Caller::Gate)
            .takes::<NewJournalBody>()
            .answers::<JournalView>(StatusCode::OK, "The journal")
            .refuses(&[Code::InvalidFields]),
        post("/v1/ride-taps", upload)
            .says("uploadRideTaps", "Hand over records of your journal")
            .about(
                "In any order, as often as you like: a record is known by its content. What a gate accepted is kept and never \
                 refused later; what is wrong with it is kept beside it.",
            )
            .caller(Caller::Gate)
            .takes::<UploadBody>()
            .answers::<UploadedView>(StatusCode::OK, "All that could be read are durable")
            .refuses(&[Code::InvalidFields, Code::NotFound]),
        get("/v1/ride-taps", seen)
            .says("listSeenRideTaps", "What the provider's gates let through lately")
            .about("For the replay guard of a gate: counters and open journeys, no people.")
            .caller(Caller::Gate)
            .query::<ArrivalQuery>()
            .answers::<SeenList>(StatusCode::OK, "By their arrival"),
        get("/v1/merchants/{merchant}/ride-taps", taps)
            .says("listRideTaps", "What the provider's gates saw")
            .caller(Caller::MerchantReader)
            .query::<ArrivalQuery>()
            .answers::<TapList>(StatusCode::OK, "By their arrival; refused ones too"),
        get("/v1/merchants/{merchant}/gate-journals", journals)
            .says("listGateJournals", "Journals of the provider's gates, with what is missing")
            .caller(Caller::MerchantReader)
            .answers::<ListOf<JournalView>>(StatusCode::OK, "All of them"),
    ];
    all.into_iter().map(|endpoint| endpoint.tag("ride-codes")).collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewJournalBody {
    algorithm: AlgorithmName,
    /// Base64 for URLs without `=`.
    #[schema(max_length = 100)]
    public_key: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "GateJournal")]
struct JournalView {
    gate: TerminalRef,
    /// Of its key.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    journal: String,
    /// The highest number that arrived; 0: none yet.
    head: i64,
    /// How many below it are still to come.
    missing: i64,
    /// The gate's time of the record at `head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_at: Option<Moment>,
}

impl From<Journal> for JournalView {
    fn from(journal: Journal) -> Self {
        Self {
            gate: Id(journal.gate),
            journal: journal.id.hex(),
            head: journal.head,
            missing: (journal.head - journal.records).max(0),
            head_at: (journal.head > 0).then_some(Moment(journal.head_at)),
        }
    }
}

async fn open(
    gate: AsGate,
    State(state): State<AppState>,
    Json(body): Json<NewJournalBody>,
) -> Result<Json<JournalView>, Problem> {
    let bytes = read_bytes("public_key", &body.public_key)?;
    let key = PublicKey::read(body.algorithm.into(), &bytes).filter(|key| !key.is_weak());
    let key = key.ok_or_else(|| Problem::invalid("public_key", "not a public key of this algorithm"))?;
    let journal = state.services.ride_codes.open_journal(gate.terminal.id, key).await?;
    Ok(Json(journal.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UploadBody {
    /// Which of the gate's journals.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    journal: String,
    /// As the gate signed them, base64 for URLs without `=`.
    #[schema(min_items = 1, max_items = 64)]
    records: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct UploadedView {
    stored: usize,
    /// Were here already.
    repeated: usize,
    /// Places in the upload, from 0, of what is no record signed by this journal's key.
    wrong: Vec<usize>,
    /// The highest number that is here.
    head: i64,
    /// How many below it are still to come.
    missing: i64,
}

impl From<Uploaded> for UploadedView {
    fn from(uploaded: Uploaded) -> Self {
        Self {
            stored: uploaded.stored,
            repeated: uploaded.repeated,
            wrong: uploaded.wrong.into_iter().map(|(place, _)| place).collect(),
            head: uploaded.head,
            missing: uploaded.missing,
        }
    }
}

async fn upload(
    gate: AsGate,
    State(state): State<AppState>,
    Json(body): Json<UploadBody>,
) -> Result<Json<UploadedView>, Problem> {
    let mut wrong = Wrong::default();
    if !(1..=RECORDS_MAX).contains(&body.records.len()) {
        wrong.add("records", format!("send 1 to {RECORDS_MAX}"));
    }
    let journal = Fingerprint::parse(&body.journal);
    if journal.is_none() {
        wrong.add("journal", "use the sixteen digits that opening the journal answered");
    }
    wrong.finish()?;
    let journal = journal.ok_or_else(|| Problem::not_found("journal"))?;
    let records = body.records.iter().map(|text| read_bytes("records", text));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let (provider, id) = (gate.facts.merchant, gate.terminal.id);
    let uploaded = state
        .services
        .ride_codes
        .upload(provider, id, journal, records)
        .await??;
    Ok(Json(uploaded.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ArrivalQuery {
    /// Only what arrived at or after this instant.
    #[param(value_type = Option<String>, format = "date-time")]
    from: Option<Moment>,
    /// The last of the page before among those that arrived at `from`.
    #[param(pattern = "^tap_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many at most; 500 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

impl ArrivalQuery {
    fn read(&self) -> Result<TapPage, Problem> {
        let mut wrong = Wrong::default();
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            wrong.add("limit", format!("use 1 to {PAGE_MAX}"));
        }
        let after = self.after.as_deref().map(str::parse::<TapId>).transpose();
        let after = after.unwrap_or_else(|_| {
            wrong.add("after", "not an id of the form tap_…");
            None
        });
        wrong.finish()?;
        Ok(TapPage {
            received_from: self.from.map_or(0, |from| from.0),
            after,
            limit,
        })
    }
}

/// Where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
struct Next {
    from: Moment,
    after: TapRef,
}

fn next(taps: &[StoredTap], page: TapPage) -> Option<Next> {
    let last = taps.last().filter(|_| taps.len() == page.limit as usize)?;
    Some(Next {
        from: Moment(last.received_at),
        after: Id(last.id),
    })
}

/// One accepted passage, without the person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SeenRideTap")]
struct SeenView {
    #[schema(pattern = "^[0-9a-f]{16}$")]
    device: String,
    counter: i64,
    /// `entry`, `exit` or `tap`.
    #[schema(value_type = String, example = "entry")]
    kind: &'static str,
    station: String,
    at: Moment,
    received_at: Moment,
}

#[derive(Debug, Serialize, ToSchema)]
struct SeenList {
    items: Vec<SeenView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

async fn seen(
    gate: AsGate,
    State(state): State<AppState>,
    Query(query): Query<ArrivalQuery>,
) -> Result<Json<SeenList>, Problem> {
    let page = query.read()?;
    let taps = state.services.ride_codes.taps(gate.facts.merchant, page).await?;
    let next = next(&taps, page);
    let accepted = taps
        .into_iter()
        .filter(|tap| tap.sound && tap.verdict == onescan_gate::journal::ACCEPTED);
    let items = accepted.filter_map(|tap| {
        Some(SeenView {
            device: tap.fingerprint?.hex(),
            counter: tap.counter,
            kind: tap.kind.name(),
            station: tap.station,
            at: Moment(tap.at),
            received_at: Moment(tap.received_at),
        })
    });
    Ok(Json(SeenList {
        items: items.collect(),
        next,
    }))
}

/// One record of a gate's journal, with what was found out about it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "RideTap")]
struct TapView {
    id: TapRef,
    gate: TerminalRef,
    #[schema(pattern = "^[0-9a-f]{16}$")]
    journal: String,
    /// Of the journal, from 1.
    sequence: i64,
    /// `entry`, `exit` or `tap`.
    #[schema(value_type = String, example = "entry")]
    kind: &'static str,
    station: String,
    /// By the gate's clock.
    at: Moment,
    received_at: Moment,
    /// `ahead`: later than it arrived. `back`: earlier than the record before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    clock_fault: Option<&'static str>,
    /// `accepted`, or why not.
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonRef>,
    counter: i64,
    /// An entry without an exit, or an exit without an entry, as far as the gate knew.
    incomplete: bool,
    /// Signatures and lifetimes hold at the gate's time.
    sound: bool,
    /// It does not follow the record before it: the journal was changed, or the gate restored from a copy.
    chain_broken: bool,
}

impl From<StoredTap> for TapView {
    fn from(tap: StoredTap) -> Self {
        Self {
            id: Id(tap.id),
            gate: Id(tap.gate),
            journal: tap.journal.hex(),
            sequence: tap.sequence,
            kind: tap.kind.name(),
            station: tap.station,
            at: Moment(tap.at),
            received_at: Moment(tap.received_at),
            clock_fault: tap.clock_fault.map(ClockFault::name),
            verdict: tap.verdict,
            device: tap.fingerprint.map(Fingerprint::hex),
            person: tap.person.map(Id),
            counter: tap.counter,
            incomplete: tap.incomplete,
            sound: tap.sound,
            chain_broken: tap.chain_broken,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct TapList {
    items: Vec<TapView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

async fn taps(
    merchant: AsMerchantReader,
    State(state): State<AppState>,
    Query(query): Query<ArrivalQuery>,
) -> Result<Json<TapList>, Problem> {
    let page = query.read()?;
    let taps = state.services.ride_codes.taps(merchant.id, page).await?;
    let next = next(&taps, page);
    let items = taps.into_iter().map(TapView::from).collect();
    Ok(Json(TapList { items, next }))
}

async fn journals(
    merchant: AsMerchantReader,
    State(state): State<AppState>,
) -> Result<Json<ListOf<JournalView>>, Problem> {
    let journals = state.services.ride_codes.journals(merchant.id).await?;
    Ok(Json(ListOf::whole(
        journals.into_iter().map(JournalView::from).collect(),
    )))
}
