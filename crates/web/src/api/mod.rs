//! The JSON API under `/v1`: one module per resource, each a list of `Endpoint`s.
//!
//! **Invariant:** handlers hold no rule: they read, call one use case, and show what it answered.

mod accounts;
mod alarms;
mod changes;
mod choices;
mod code_records;
mod dry_runs;
mod endpoint;
mod extract;
mod health;
mod institution_accounts;
mod institution_codes;
mod institutions;
mod invoice_profiles;
mod invoices;
mod issued;
mod journeys;
mod keys;
mod members;
mod merchants;
mod payment_view;
mod payments;
mod people;
mod platforms;
mod problems;
mod profile_drafts;
mod ride_codes;
mod ride_taps;
mod rides;
mod sales;
mod scans;
mod scenarios;
mod service_codes;
mod sessions;
mod tax_setup;
mod terminals;
pub(crate) mod wire;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::routing::{any, get};
use axum::{Router, middleware};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::ToSchema;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, Paths, Tag};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::observe::{Observer, observe, panicked};
use crate::problem::{Code, Problem, ProblemBody};
use crate::{AppState, WebSettings};
use endpoint::{BEARER, Endpoint, Schemas};

/// Sections of the description, in reading order.
const TAGS: &[(&str, &str)] = &[
    ("sessions", "Signing in and out"),
    ("people", "Who you are, what you agreed to, what you paid"),
    ("code-records", "Enabling code payment; scenarios and limits"),
    ("service-codes", "Codes to be shown, one per access"),
    ("scans", "Looking at a scanned code before paying"),
    ("payments", "Paying, and asking what became of it"),
    ("changes", "Refunds, captures, voids, reversals"),
    ("invoices", "Who is invoiced, and that it was"),
    ("invoice-profiles", "The buyer's details"),
    ("institutions", "Institutions, members, accounts"),
    ("rides", "Travel applications, ride orders, who pays them"),
    ("merchants", "Merchants, stores, terminals, sales"),
    ("ride-codes", "Ride codes, and what gates saw"),
    ("operator", "For who runs the server"),
    ("server", "About this server"),
];

pub use extract::ARCHIVE_MAX;
pub use rides::follow_rides;
pub use wire::AMOUNT_MAX_MINOR;

fn endpoints(settings: &WebSettings) -> Vec<Endpoint> {
    let mut all = Vec::new();
    all.extend(sessions::endpoints());
    all.extend(people::endpoints());
    all.extend(choices::endpoints());
    all.extend(alarms::endpoints());
    all.extend(code_records::endpoints());
    all.extend(dry_runs::endpoints());
    all.extend(service_codes::endpoints());
    all.extend(scans::endpoints());
    all.extend(payments::endpoints());
    all.extend(changes::endpoints());
    all.extend(invoices::endpoints());
    all.extend(issued::endpoints());
    all.extend(invoice_profiles::endpoints());
    all.extend(profile_drafts::endpoints());
    all.extend(institutions::endpoints());
    all.extend(members::endpoints());
    all.extend(institution_codes::endpoints());
    all.extend(institution_accounts::endpoints());
    all.extend(accounts::endpoints());
    all.extend(merchants::endpoints());
    all.extend(tax_setup::endpoints());
    all.extend(terminals::endpoints());
    all.extend(sales::endpoints());
    all.extend(ride_codes::endpoints());
    all.extend(ride_taps::endpoints());
    all.extend(rides::endpoints());
    all.extend(journeys::endpoints());
    all.extend(problems::endpoints());
    all.extend(platforms::endpoints());
    all.extend(health::endpoints());
    if settings.bench {
        all.extend(health::bench_endpoints());
    }
    all
}

/// The API with everything around it: request ids, time limits, counting, problems for what no endpoint answers.
pub fn router(state: &AppState) -> Router<AppState> {
    let endpoints = endpoints(&state.settings);
    let paths: HashSet<String> = endpoints.iter().map(|endpoint| endpoint.path.to_owned()).collect();
    let observer = Observer::new(&state.services.env, paths);
    let counted = observer.clone();
    let around = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(observer, observe))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(extract::CSV_MAX));
    routes(endpoints)
        .route("/v1", any(unknown_path))
        .route("/v1/", any(unknown_path))
        .route("/v1/{*rest}", any(unknown_path))
        .route("/openapi.json", get(|| health::document(document_text())))
        .route("/metrics", get(move || health::metrics(counted.clone())))
        .method_not_allowed_fallback(wrong_method)
        .layer(around)
        .merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json")))
}

fn routes(endpoints: Vec<Endpoint>) -> Router<AppState> {
    endpoints.into_iter().fold(Router::new(), |router, endpoint| {
        router.route(endpoint.path, endpoint.handler)
    })
}

/// Made when it is first asked for.
fn document_text() -> Arc<str> {
    static TEXT: LazyLock<Arc<str>> = LazyLock::new(|| {
        let text = openapi().to_json().expect("the description is plain data");
        text.into()
    });
    Arc::clone(&TEXT)
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::new(Code::UnknownPath, format!("there is no path {}", uri.path()))
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the header Allow lists what this path takes")
}

/// [`openapi`] as indented JSON.
pub fn openapi_json() -> String {
    openapi().to_pretty_json().expect("the description is plain data")
}

/// The description of every endpoint, OpenAPI 3.1.
pub fn openapi() -> OpenApi {
    let mut paths = Paths::new();
    let components = ComponentsBuilder::new();
    let mut shared = Schemas::new();
    for endpoint in endpoints(&WebSettings::default()) {
        let operation = endpoint.operation(&mut shared);
        paths.add_path_operation(endpoint.path, vec![endpoint.http_method()], operation);
    }
    ProblemBody::schemas(&mut shared);
    shared.push((
        ProblemBody::name().into_owned(),
        <ProblemBody<'static> as utoipa::PartialSchema>::schema(),
    ));
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.description = Some("A session token (ses_….…) or a key (key_….…)".to_owned());
    let components = components
        .schemas_from_iter(shared)
        .security_scheme(BEARER, SecurityScheme::Http(scheme));
    let tags = TAGS.iter().map(|(name, about)| {
        let mut tag = Tag::new(name);
        tag.description = Some((*about).to_owned());
        tag
    });
    let info = InfoBuilder::new()
        .title("Onescan")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "One scan pays and hands over the invoice details. Instants are RFC 3339 in UTC; money is in minor units; every \
             refusal is `application/problem+json` with a stable `code`, explained at /problems.",
        ))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

#[cfg(test)]
mod tests;
