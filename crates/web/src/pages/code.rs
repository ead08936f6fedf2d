//! The code page: a code for each access, shown until it is used or renewed, and the question which profile it shall be.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use onescan_domain::codes::{CodeText, RecordState};
use onescan_domain::ids::{ChoiceId, CodeId, InstitutionId, PaymentId};
use onescan_domain::payments::Payment;
use onescan_domain::profiles::{InvoiceProfile, ProfileChoice};
use onescan_platforms::codes::{CreateRefusal, ServiceCode};
use onescan_platforms::error::PlatformError;
use onescan_platforms::processing::delivery::Delivered;
use onescan_platforms::processing::render::{self, Form as Shape};
use onescan_platforms::processing::request::{AccessInfo, CONSENT_FIELDS, WantedCode};
use serde::Deserialize;

use super::error::{PageError, PageResult, wants_part};
use super::page::Page;
use super::payment_view::PaymentView;
use super::visit::{Device, PersonVisit};
use super::{html, unchanged};
use crate::AppState;

/// Which code: nothing is the person's own, else an institution's id. `code`: the one shown until now.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(rename = "as")]
    pays: Option<String>,
    code: Option<String>,
    previous: Option<String>,
}

impl Wanted {
    fn code(&self) -> PageResult<WantedCode> {
        match self.pays.as_deref() {
            None | Some("") => Ok(WantedCode::User),
            Some(id) => {
                let id: InstitutionId = id.parse().map_err(|_| PageError::NotFound)?;
                Ok(WantedCode::Institution(id))
            }
        }
    }

    /// The codes a payment may have come by: the one shown, and the one before it.
    fn shown(&self) -> Vec<CodeId> {
        let ids = [&self.code, &self.previous].into_iter().flatten();
        ids.filter_map(|id| id.parse().ok()).collect()
    }
}

struct Tab {
    /// Empty for the person's own code.
    pays: String,
    name: String,
    current: bool,
}

/// What stands where the code would be.
enum Panel {
    Code(Box<CodeView>),
    /// Code payment is not enabled yet. Row S05.
    Enable,
    Paused,
    /// The institution ended it, or the person left.
    Barred(&'static str),
}

impl Panel {
    fn is_code(&self) -> bool {
        matches!(self, Self::Code(_))
    }
}

struct CodeView {
    id: String,
    previous: String,
    digits: String,
    grouped: String,
    qr: String,
    bars: String,
    left_ms: i64,
    total_ms: i64,
}

struct Question {
    payment: PaymentView,
    choice: String,
    candidates: Vec<InvoiceProfile>,
    left_ms: i64,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage<'a> {
    page: &'a Page,
    tabs: Vec<Tab>,
    pays: &'a str,
    panel: Panel,
    questions: Vec<Question>,
    consent_fields: &'static [&'static str],
}

#[derive(Template)]
#[template(path = "code_panel.html")]
struct PanelPart<'a> {
    page: &'a Page,
    pays: &'a str,
    panel: Panel,
    consent_fields: &'static [&'static str],
}

pub async fn show(
    State(state): State<AppState>,
    visit: PersonVisit,
    device: Device,
    Query(wanted): Query<Wanted>,
    jar: CookieJar,
) -> PageResult {
    let page = &visit.page;
    let member_codes = state.services.processing.member_codes(visit.person.id).await?;
    let pays = wanted.pays.clone().unwrap_or_default();
    let mut tabs = vec![Tab {
        pays: String::new(),
        name: page.t("code-own"),
        current: pays.is_empty(),
    }];
    tabs.extend(member_codes.iter().map(|found| {
        let id = found.institution.id.to_string();
        Tab {
            current: id == pays,
            pays: id,
            name: found.institution.name.clone(),
        }
    }));
    let cookie = device.cookie.clone();
    let panel = access(&state, &visit, device, &wanted).await?;
    let questions = open_questions(&state, &visit).await?;
    let template = CodePage {
        page,
        tabs,
        pays: &pays,
        panel,
        questions,
        consent_fields: &CONSENT_FIELDS,
    };
    let response = html(&template)?;
    Ok(match cookie {
        Some(cookie) => (jar.add(cookie), response).into_response(),
        None => response,
    })
}

/// A new code in the place of the one shown. Row S01.
pub async fn panel(
    State(state): State<AppState>,
    visit: PersonVisit,
    device: Device,
    Query(wanted): Query<Wanted>,
) -> PageResult {
    let panel = access(&state, &visit, device, &wanted).await?;
    let pays = wanted.pays.as_deref().unwrap_or_default();
    html(&PanelPart {
        page: &visit.page,
        pays,
        panel,
        consent_fields: &CONSENT_FIELDS,
    })
}

/// Asks for a code for this access alone. Rows S01, S04, S08.
async fn access(state: &AppState, visit: &PersonVisit, device: Device, wanted: &Wanted) -> PageResult<Panel> {
    let info = AccessInfo {
        device: device.id,
        address: device.address,
        location: None,
    };
    let kind = wanted.code()?;
    let made = state.services.processing.show_code(visit.person.id, kind, info).await?;
    Ok(match (made, kind) {
        (Ok(code), _) => Panel::Code(Box::new(code_view(&visit.page, &code, wanted)?)),
        (Err(CreateRefusal::NoRecord), WantedCode::User) => Panel::Enable,
        (Err(CreateRefusal::NoRecord), WantedCode::Institution(_)) => Panel::Barred("code-institution-none"),
        (Err(CreateRefusal::RecordInactive), WantedCode::User) => inactive(state, visit).await?,
        (Err(CreateRefusal::RecordInactive), WantedCode::Institution(_)) => Panel::Barred("code-institution-paused"),
        (Err(CreateRefusal::NotTied), _) => Panel::Barred("code-not-tied"),
    })
}

async fn inactive(state: &AppState, visit: &PersonVisit) -> PageResult<Panel> {
    let record = state.services.codes.record_of_person(visit.person.id).await?;
    let is_closed = record.is_some_and(|record| record.state == RecordState::Closed);
    Ok(if is_closed {
        Panel::Barred("code-closed")
    } else {
        Panel::Paused
    })
}

fn code_view(page: &Page, code: &ServiceCode, wanted: &Wanted) -> PageResult<CodeView> {
    let title = page.t("code-title");
    let draw = |shape| {
        let drawn = render::render(&code.text, shape, &title).map_err(PlatformError::internal)?;
        Ok::<_, PageError>(String::from_utf8_lossy(&drawn).into_owned())
    };
    let total_ms = code.shown_until - code.created_at;
    Ok(CodeView {
        id: code.id.to_string(),
        previous: wanted.code.clone().unwrap_or_default(),
        digits: code.text.as_str().to_owned(),
        grouped: code.text.grouped(),
        qr: draw(Shape::QrSvg)?,
        bars: draw(Shape::BarcodeSvg)?,
        left_ms: total_ms,
        total_ms,
    })
}

#[derive(Template)]
#[template(path = "code_used.html")]
struct UsedPart<'a> {
    page: &'a Page,
    pays: &'a str,
    used: PaymentView,
    payment: String,
    question: Option<Question>,
    delivered: Option<Answer>,
    asks_later: bool,
}

/// Whether the code was used: nothing new while it was not, else what the payment came to. The page asks every second.
pub async fn state(State(state): State<AppState>, visit: PersonVisit, Query(wanted): Query<Wanted>) -> PageResult {
    let codes = wanted.shown();
    let found = state.services.payments.find_by_codes(codes).await?;
    let newest = found
        .into_iter()
        .flatten()
        .filter(|payment| payment.person == visit.person.id);
    let Some(payment) = newest.max_by_key(|payment| payment.created_at) else {
        return Ok(unchanged());
    };
    let page = &visit.page;
    let used = PaymentView::load(&state.services, page, &payment).await?;
    let question = question_of(&state, &visit, payment.id).await?;
    let delivered = match question {
        None => settled(&state, &payment).await?,
        Some(_) => None,
    };
    let pays = wanted.pays.as_deref().unwrap_or_default();
    let asks_later = question.is_none() && delivered.is_none() && payment.paid_at().is_some();
    html(&UsedPart {
        page,
        pays,
        used,
        payment: payment.id.to_string(),
        question,
        delivered,
        asks_later,
    })
}

/// What the merchant got for the invoice.
enum Answer {
    None,
    Profile(Box<InvoiceProfile>),
}

async fn settled(state: &AppState, payment: &Payment) -> PageResult<Option<Answer>> {
    if payment.paid_at().is_none() {
        return Ok(None);
    }
    Ok(match state.services.processing.profile_of(payment).await? {
        Delivered::None => Some(Answer::None),
        Delivered::Profile(profile) => Some(Answer::Profile(profile)),
        Delivered::Asking { .. } | Delivered::Later => None,
    })
}

async fn open_questions(state: &AppState, visit: &PersonVisit) -> PageResult<Vec<Question>> {
    let mut questions = Vec::new();
    for choice in state.services.processing.open_choices(visit.person.id).await? {
        questions.extend(question(state, visit, choice).await?);
    }
    Ok(questions)
}

async fn question_of(state: &AppState, visit: &PersonVisit, payment: PaymentId) -> PageResult<Option<Question>> {
    let open = state.services.processing.open_choices(visit.person.id).await?;
    match open.into_iter().find(|choice| choice.payment == payment) {
        Some(choice) => question(state, visit, choice).await,
        None => Ok(None),
    }
}

async fn question(state: &AppState, visit: &PersonVisit, choice: ProfileChoice) -> PageResult<Option<Question>> {
    let Some(payment) = state.services.payments.find(choice.payment).await? else {
        return Ok(None);
    };
    let mut candidates = Vec::new();
    for id in &choice.candidates {
        candidates.extend(state.services.profiles.find(*id).await?);
    }
    Ok(Some(Question {
        payment: PaymentView::load(&state.services, &visit.page, &payment).await?,
        choice: choice.id.to_string(),
        candidates,
        left_ms: (choice.until - state.services.env.now_ms()).max(0),
    }))
}

#[derive(Template)]
#[template(path = "code_choice.html")]
struct ChoicePart<'a> {
    page: &'a Page,
    payment: String,
    question: Option<Question>,
    delivered: Option<Answer>,
    asks_later: bool,
}

#[derive(Debug, Deserialize)]
pub struct ChoiceShown {
    /// `question` when the page shows it already.
    shown: Option<String>,
}

/// How the question about a payment's invoice stands: nothing new while it is open and shown. Row S19.
pub async fn choice(
    State(state): State<AppState>,
    visit: PersonVisit,
    Path(payment): Path<String>,
    Query(shown): Query<ChoiceShown>,
) -> PageResult {
    let payment = own_payment(&state, &visit, &payment).await?;
    let question = question_of(&state, &visit, payment.id).await?;
    if question.is_some() && shown.shown.as_deref() == Some("question") {
        return Ok(unchanged());
    }
    choice_part(&state, &visit, &payment, question).await
}

async fn choice_part(
    state: &AppState,
    visit: &PersonVisit,
    payment: &Payment,
    question: Option<Question>,
) -> PageResult {
    let delivered = match question {
        None => settled(state, payment).await?,
        Some(_) => None,
    };
    let asks_later = question.is_none() && delivered.is_none();
    let payment = payment.id.to_string();
    html(&ChoicePart {
        page: &visit.page,
        payment,
        question,
        delivered,
        asks_later,
    })
}

/// A payment of this person; another's reads as absent.
pub async fn own_payment(state: &AppState, visit: &PersonVisit, id: &str) -> PageResult<Payment> {
    let id: PaymentId = id.parse().map_err(|_| PageError::NotFound)?;
    let found = state.services.payments.find(id).await?;
    found
        .filter(|payment| payment.person == visit.person.id)
        .ok_or(PageError::NotFound)
}

#[derive(Debug, Deserialize)]
pub struct Chosen {
    profile: String,
}

/// Takes the person's answer. One that comes too late shows what holds instead. Row S19.
pub async fn choose(
    State(state): State<AppState>,
    visit: PersonVisit,
    headers: axum::http::HeaderMap,
    Path((payment, choice)): Path<(String, String)>,
    Form(chosen): Form<Chosen>,
) -> PageResult {
    let payment = own_payment(&state, &visit, &payment).await?;
    let choice: ChoiceId = choice.parse().map_err(|_| PageError::NotFound)?;
    let profile = chosen.profile.parse().map_err(|_| PageError::NotFound)?;
    // Whatever a refusal says, the part below shows what holds now.
    let _ = state
        .services
        .processing
        .choose(visit.person.id, choice, profile)
        .await?;
    if wants_part(&headers) {
        choice_part(&state, &visit, &payment, None).await
    } else {
        Ok(Redirect::to(&format!("/payments/{}?done=chosen", payment.id)).into_response())
    }
}

/// The boxes of the enabling form: a checked one lets that field be read. Row S05.
#[derive(Debug, Default, Deserialize)]
pub struct Consented {
    name: Option<String>,
    email: Option<String>,
}

/// Makes the person's code record; only what they let be read is read. Row S05.
pub async fn enable(State(state): State<AppState>, visit: PersonVisit, Form(form): Form<Consented>) -> PageResult {
    let boxes = [("name", form.name), ("email", form.email)];
    let fields: Vec<String> = boxes
        .into_iter()
        .filter_map(|(field, checked)| checked.map(|_| field.to_owned()))
        .collect();
    let consent = (!fields.is_empty()).then_some(fields);
    state.services.processing.enable(&visit.person, consent, None).await?;
    Ok(Redirect::to("/code?done=enabled").into_response())
}

pub async fn pause(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    set_record(&state, &visit, RecordState::Paused).await?;
    Ok(Redirect::to("/code?done=paused").into_response())
}

pub async fn resume(State(state): State<AppState>, visit: PersonVisit) -> PageResult {
    set_record(&state, &visit, RecordState::Active).await?;
    Ok(Redirect::to("/code?done=resumed").into_response())
}

async fn set_record(state: &AppState, visit: &PersonVisit, to: RecordState) -> PageResult<()> {
    let record = state.services.codes.record_of_person(visit.person.id).await?;
    let record = record.ok_or(PageError::NotFound)?;
    state
        .services
        .codes
        .set_record_state(record.bucket, &record.id, to)
        .await?;
    Ok(())
}

#[derive(Deserialize)]
pub struct Sound {
    digits: String,
}

/// The shown digits as sound. They come in the body, so that no address or log holds them. Row S09.
pub async fn sound(_visit: PersonVisit, Form(form): Form<Sound>) -> PageResult<Response> {
    let text = CodeText::parse(&form.digits).map_err(|_| PageError::Unreadable)?;
    let wav = render::render(&text, Shape::SoundWav, "").map_err(PlatformError::internal)?;
    Ok(([(header::CONTENT_TYPE, Shape::SoundWav.media_type())], wav).into_response())
}
