//! Pages for people: rendered here, made lively by small scripts, usable without them where that is possible.
//!
//! A handler parses, calls one use case, and fills a template. Forms that change something answer with a redirect, or with
//! the part of the page that changed when a script asked.
//!
//! **Invariant:** no page needs a script or style that is not from this server, and none stands inside a page.

mod account;
mod approvals;
mod bills;
mod code;
mod desk;
mod error;
mod gates;
mod gates_setup;
mod institutions;
mod invoice_terminal;
mod operator;
mod page;
mod payment_view;
mod payments;
mod privacy;
mod profiles;
mod receipt;
mod ride;
mod rides;
mod scan_text;
mod sign_in;
mod start;
mod tax;
mod tax_form;
mod till;
mod travel;
mod visit;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use onescan_domain::text::TextError;
use onescan_platforms::profiles::drafts;
use tower_http::csrf::CsrfLayer;

use crate::AppState;
use error::{PageError, PageResult};
use page::Page;

/// Forms are short; the longest is an invoice profile.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Every page, with its security headers, error faces and refusal of foreign forms.
pub fn router(state: &AppState) -> Router<AppState> {
    Router::new()
        .merge(common())
        .merge(person())
        .merge(terminals())
        .merge(running())
        .merge(office())
        .merge(desk::router())
        .merge(bills::router())
        .merge(travel::routes())
        .layer(CsrfLayer::new())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(state.clone(), error::finish))
}

/// What a browser sees behind an address that is nobody's.
pub fn not_found(state: &AppState) -> Router<AppState> {
    let missing = || async { PageError::NotFound };
    Router::new()
        .fallback(missing)
        .layer(from_fn_with_state(state.clone(), error::finish))
}

fn common() -> Router<AppState> {
    Router::new()
        .route("/", get(start::start))
        .route("/preferences", post(start::prefer))
        .route("/demo/sign-in", post(start::demo_sign_in))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-up", get(sign_in::show_sign_up).post(sign_in::sign_up))
        .route("/sign-out", post(start::sign_out))
}

fn person() -> Router<AppState> {
    Router::new()
        .route("/code", get(code::show))
        .route("/code/panel", post(code::panel))
        .route("/code/state", get(code::state))
        .route("/code/enable", post(code::enable))
        .route("/code/pause", post(code::pause))
        .route("/code/resume", post(code::resume))
        .route("/code/sound", post(code::sound))
        .route("/code/choices/{payment}", get(code::choice))
        .route("/code/choices/{payment}/{choice}", post(code::choose))
        .route("/profiles", get(profiles::list))
        .route("/profiles/new", get(profiles::show_new).post(profiles::create))
        .route("/profiles/read-title", post(profiles::read_title))
        .route(
            "/profiles/read-invoice",
            post(profiles::read_invoice).layer(DefaultBodyLimit::max(drafts::INVOICE_BYTES_MAX)),
        )
        .route("/profiles/{id}/title-code/{form}", get(profiles::title_code))
        .route("/profiles/{id}", get(profiles::edit).post(profiles::update))
        .route("/profiles/{id}/remove", post(profiles::remove))
        .route("/payments", get(payments::list))
        .route("/payments/{id}", get(payments::show))
        .route("/ride", get(ride::show))
        .route("/ride/worker.js", get(ride::worker))
        .route("/ride/device", post(ride::enrol))
        .route("/ride/entitlement/{device}", post(ride::issue))
        .route("/ride/devices/{device}/revoke", post(ride::revoke))
        .route("/privacy", get(privacy::show))
        .route("/privacy/consents/{id}/withdraw", post(privacy::withdraw))
        .route("/privacy/sessions/{id}/end", post(privacy::end_session))
        .route("/rides", get(rides::show))
        .route("/rides/outcomes", get(rides::list))
        .route("/rides/events", get(rides::events))
        .route("/rides/new", get(rides::show_new).post(rides::apply))
        .route("/rides/consent", post(rides::consent))
        .route("/rides/applications/{id}/switch", post(rides::switch))
        .route("/rides/applications/{id}/withdraw", post(rides::withdraw))
        .route("/rides/arrears/{id}/pay", post(rides::pay))
        .route("/approvals", get(approvals::show))
        .route("/approvals/{institution}/{id}", post(approvals::rule))
        .route("/account", get(account::show).post(account::change))
        .route("/account/password", post(account::change_password))
}

fn running() -> Router<AppState> {
    Router::new()
        .route("/operator", get(operator::show))
        .route("/operator/sign-in", get(operator::show_sign_in).post(operator::sign_in))
}

fn terminals() -> Router<AppState> {
    Router::new()
        .route("/till/sign-in", get(sign_in::show_till).post(sign_in::sign_in_till))
        .route("/till/open", get(sign_in::open_till))
        .route("/gates", get(gates::show))
        .route("/till", get(till::show))
        .route("/till/charge", post(till::charge))
        .route("/till/sales", get(till::sales))
        .route("/till/last", get(receipt::last))
        .route("/till/payments/{id}", get(receipt::show))
        .route("/till/payments/{id}/profile", get(till::profile))
        .route("/till/payments/{id}/refund", post(receipt::refund))
        .route("/invoice-terminal", get(invoice_terminal::show))
        .route("/invoice-terminal/scan", post(invoice_terminal::scan))
        .route("/invoice-terminal/paid", post(invoice_terminal::paid))
        .route("/invoice-terminal/search", get(invoice_terminal::search))
        .route("/invoice-terminal/payments/{id}/number", post(invoice_terminal::number))
        .route("/invoice-terminal/payments/{id}/issue", post(invoice_terminal::issue))
}

fn office() -> Router<AppState> {
    let form = get(tax::show).post(tax::enter);
    Router::new()
        .route("/office", get(|| async { Redirect::to("/office/invoices") }))
        .route(
            "/office/sign-in",
            get(sign_in::show_office).post(sign_in::sign_in_office),
        )
        .route("/gates/setup", get(gates_setup::show).post(gates_setup::put))
        .route(
            "/gates/setup/feeds",
            post(gates_setup::import).layer(DefaultBodyLimit::max(gates_setup::FORM_BYTES_MAX)),
        )
        .route(
            "/gates/setup/feeds/{feed}",
            get(gates_setup::show_feed).post(gates_setup::act),
        )
        .route("/office/tax", form.layer(DefaultBodyLimit::max(tax::FORM_BYTES_MAX)))
        .route("/institutions", get(institutions::show))
}

fn html(template: &impl Template) -> PageResult {
    Ok(Html(template.render()?).into_response())
}

fn html_with(status: StatusCode, template: &impl Template) -> PageResult {
    Ok((status, Html(template.render()?)).into_response())
}

/// "Nothing new": htmx leaves the page as it is.
fn unchanged() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// `next` when it is a path of this server; a browser reads `//host` and `/\host` as another host.
fn safe_next<'a>(next: Option<&'a str>, otherwise: &'a str) -> &'a str {
    let is_path = |next: &&str| {
        let mut letters = next.chars();
        let begins = letters.next() == Some('/') && !matches!(letters.next(), Some('/' | '\\'));
        begins && !next.contains(char::is_control)
    };
    next.filter(is_path).unwrap_or(otherwise)
}

fn text_problem(page: &Page, error: &TextError) -> String {
    match error {
        TextError::Empty => page.t("text-empty"),
        TextError::TooLong { max, .. } => page.with("text-long", "max", &max.to_string()),
        TextError::ControlCharacter { .. } => page.t("text-control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_followed() {
        assert_eq!(safe_next(Some("/code?as=1"), "/"), "/code?as=1");
        for foreign in ["//evil.test", "/\\evil.test", "https://evil.test", "", "/a\nb"] {
            assert_eq!(safe_next(Some(foreign), "/code"), "/code", "{foreign:?}");
        }
        assert_eq!(safe_next(None, "/"), "/");
    }
}
