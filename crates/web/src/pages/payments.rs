//! A person's payments: the list, and one of them with refunds and invoice.

use askama::Template;
use axum::extract::{Path, Query, State};
use onescan_domain::invoicing::Invoice;
use onescan_domain::payments::Refund;
use onescan_domain::profiles::InvoiceProfile;
use onescan_platforms::payments::Page as ListPage;
use onescan_platforms::processing::delivery::Delivered;
use serde::Deserialize;

use super::code::own_payment;
use super::error::PageResult;
use super::html;
use super::page::Page;
use super::payment_view::PaymentView;
use super::visit::PersonVisit;
use crate::AppState;

const LISTED: u32 = 30;

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage<'a> {
    page: &'a Page,
    payments: Vec<PaymentView>,
    /// Where the next page of the list begins.
    more: Option<String>,
    first: bool,
}

#[derive(Debug, Deserialize)]
pub struct After {
    after: Option<String>,
}

pub async fn list(State(state): State<AppState>, visit: PersonVisit, Query(query): Query<After>) -> PageResult {
    let services = &state.services;
    let buckets = services.processing.buckets_of(visit.person.id).await?;
    let first = query.after.is_none();
    let list_page = ListPage {
        after: query.after,
        limit: LISTED,
    };
    let found = services
        .payments
        .payments_of_person(visit.person.id, buckets, list_page)
        .await?;
    let last = found.last().map(|payment| payment.id.stored());
    let more = last.filter(|_| found.len() == LISTED as usize);
    let mut payments = Vec::with_capacity(found.len());
    for payment in &found {
        payments.push(PaymentView::load(services, &visit.page, payment).await?);
    }
    html(&PaymentsPage {
        page: &visit.page,
        payments,
        more,
        first,
    })
}

#[derive(Template)]
#[template(path = "payment.html")]
struct PaymentPage<'a> {
    page: &'a Page,
    view: PaymentView,
    refunds: Vec<Refund>,
    profile: Option<Box<InvoiceProfile>>,
    invoice: Option<Invoice>,
    paid: bool,
}

pub async fn show(State(state): State<AppState>, visit: PersonVisit, Path(id): Path<String>) -> PageResult {
    let services = &state.services;
    let payment = own_payment(&state, &visit, &id).await?;
    let paid = payment.paid_at().is_some();
    let delivered = match paid {
        true => services.processing.profile_of(&payment).await?,
        false => Delivered::None,
    };
    let profile = match delivered {
        Delivered::Profile(profile) => Some(profile),
        Delivered::None | Delivered::Asking { .. } | Delivered::Later => None,
    };
    let template = PaymentPage {
        page: &visit.page,
        view: PaymentView::load(services, &visit.page, &payment).await?,
        refunds: services.payments.refunds(payment.id).await?,
        profile,
        invoice: services.processing.invoice_of(&payment).await?,
        paid,
    };
    html(&template)
}
