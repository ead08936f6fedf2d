//! From the application to the issued document, and from a refund to its credit note. Row S20. Source: S \[86\], \[96\].
//!
//! | step | commit | after a crash |
//! |---|---|---|
//! | apply | invoice `applied`, its lines, a task | the application was not taken; it is made again |
//! | settle | amount, refunds before, date: `issuing` | the task settles again, from the rows |
//! | issue | the issuer's own: number and document | the same key is asked for again and finds the document |
//! | complete | `issued`, deliveries and their tasks | the task asks the issuer again and completes |
//!
//! **The point after which nothing is undone** is *settle*: the issuer may have the document. From there work only asks and
//! completes; what is wrong then becomes a credit note, never another invoice.

use jiff::tz::TimeZone;
use onescan_domain::codes::CodeKind;
use onescan_domain::ids::{DeliveryId, InvoiceId, PaymentId, RefundId};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState, RedLetter};
use onescan_domain::money::Money;
use onescan_domain::payments::{Payment, Refund};
use onescan_domain::profiles::{DeliveryChannel, TitleKind};
use onescan_einvoice::invoice as document;
use onescan_einvoice::{Date, Profile};

use super::Processing;
use super::delivery::Delivered;
use crate::env::instant;
use crate::error::{PlatformError, Result};
use crate::invoicing::draft::{self, Days, DraftError, InvoiceLine};
use crate::invoicing::{
    Attempt, Channel, CreditCause, CreditRequest, Delivery, DeliveryState, DocumentKey, Draft, Follow, IssueRequest,
    IssuedDocument, IssuerProfile, Standing, Subject, Task, Work,
};
use crate::merchants::tax::{InvoicingMode, TaxSetup, language_tag};

/// Why an application is not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyRefusal {
    #[error("the payment is {state}: only a paid one has an invoice")]
    NotPaid { state: &'static str },
    #[error("the merchant's invoices are not issued here: enter its tax set-up first")]
    NoSetup,
    /// A payment is in at most one valid invoice, and of an institution's rides that is the bill's. Row R09.
    #[error("the institution paid this ride: it is invoiced with the bill of its period")]
    Billed,
    #[error("everything was refunded: nothing is left to invoice")]
    NothingLeft,
    #[error("the buyer is choosing the details until {}", instant(*until))]
    Asking { until: i64 },
    #[error("the buyer entered no details for an invoice")]
    NoBuyer,
    #[error(transparent)]
    Lines(#[from] DraftError),
    /// What the standard misses, by field.
    #[error("{field} {problem}")]
    Content { field: String, problem: String },
}

/// How long a worker has for a task before another one may take it.
const LEASE_MS: i64 = 60_000;
const TASKS_AT_ONCE: u32 = 16;
/// The pause after the first failure; each one after it is twice as long, an hour at most.
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// What becomes of a task.
pub(super) enum Done {
    Finished,
    /// Not yet; nothing is wrong.
    Later {
        at: i64,
    },
}

pub(super) fn pause_ms(attempts: i64) -> i64 {
    let doubled = 1_i64 << attempts.clamp(1, 20).saturating_sub(1);
    (FIRST_PAUSE_MS * doubled).min(LONGEST_PAUSE_MS)
}

impl Processing {
    /// Who issues the invoices of a merchant.
    pub async fn invoicing_mode(&self, merchant: onescan_domain::ids::MerchantId) -> Result<InvoicingMode> {
        let setup = self.parts.taxes.current(merchant).await?;
        Ok(setup.map_or(InvoicingMode::Own, |setup| setup.fields.mode))
    }

    /// Applies for the invoice of a payment; it is issued a moment later. `lines` are the till's, with tax; without any there is
    /// one line over the whole. A repeat returns the first application, whatever its lines; one that failed is replaced.
    pub async fn apply_for_invoice(
        &self,
        payment: &Payment,
        lines: &[InvoiceLine],
    ) -> Result<Result<Invoice, ApplyRefusal>> {
        let existing = self.invoice_of(payment).await?;
        if let Some(existing) = &existing
            && existing.state != InvoiceState::Failed
        {
            return Ok(Ok(existing.clone()));
        }
        let wanted = match self.application(payment, lines).await? {
            Ok(wanted) => wanted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let book = &self.parts.invoices;
        if let Some(failed) = existing {
            let again = Invoice {
                id: failed.id,
                ..wanted
            };
            let task = book.task(Work::Issue(again.id), again.applied_at);
            book.store.apply_again(&again, lines, &[task]).await?;
            return Ok(Ok(again));
        }
        let task = book.task(Work::Issue(wanted.id), wanted.applied_at);
        Ok(Ok(book.store.insert_or_find(&wanted, lines, &[task]).await?))
    }

    /// Applies once more for an invoice that failed, with the lines of its first application.
    pub async fn apply_again(&self, failed: &Invoice) -> Result<Result<Invoice, ApplyRefusal>> {
        let lines = self.parts.invoices.store.list_lines(failed.id).await?;
        let payment = self.parts.payments.find(failed.payment).await?;
        match payment {
            Some(payment) => self.apply_for_invoice(&payment, &lines).await,
            None => Err(PlatformError::Busy),
        }
    }

    /// Everything that could make issuing fail later is tried here, on a draft.
    async fn application(&self, payment: &Payment, lines: &[InvoiceLine]) -> Result<Result<Invoice, ApplyRefusal>> {
        let Some(paid_at) = payment.paid_at() else {
            let state = payment.state.name();
            return Ok(Err(ApplyRefusal::NotPaid { state }));
        };
        let Some(setup) = self.parts.taxes.current(payment.merchant).await? else {
            return Ok(Err(ApplyRefusal::NoSetup));
        };
        if payment.is_ride() && payment.kind == CodeKind::Institution {
            return Ok(Err(ApplyRefusal::Billed));
        }
        if payment.refunded_minor >= payment.amount.minor {
            return Ok(Err(ApplyRefusal::NothingLeft));
        }
        let profile = match self.profile_of(payment).await? {
            Delivered::Profile(profile) => profile,
            Delivered::Asking { until } => return Ok(Err(ApplyRefusal::Asking { until })),
            Delivered::None => return Ok(Err(ApplyRefusal::NoBuyer)),
            Delivered::Later => return Err(PlatformError::Busy),
        };
        let now = self.parts.env.now_ms();
        let mut wanted = self.parts.invoices.blank(payment, Some(&profile));
        wanted.origin = InvoiceOrigin::Platform;
        wanted.state = InvoiceState::Applied;
        wanted.seller_name.clone_from(&setup.fields.legal_name);
        wanted.setup_version = setup.version;
        language_tag(setup.fields.language).clone_into(&mut wanted.language);
        let days = Days {
            issued_on: self.day(now),
            paid_on: self.day(paid_at),
        };
        let mut draft = match draft::invoice(&wanted, &setup.fields, lines, payment.refunded_minor, days) {
            Ok(draft) => draft,
            Err(error) => return Ok(Err(error.into())),
        };
        draft.number = "1".to_owned();
        let problems = draft.check(Profile::Core).into_iter();
        let problem = problems
            .into_iter()
            .find(|problem| problem.fault != onescan_einvoice::Fault::TooFine);
        Ok(match problem {
            Some(problem) => Err(ApplyRefusal::Content {
                problem: problem.fault.to_string(),
                field: problem.field,
            }),
            None => Ok(wanted),
        })
    }

    /// Does the invoice work that is due; how many tasks were taken. Safe on several servers at once.
    pub async fn work_on_invoices(&self) -> Result<u64> {
        let store = &self.parts.invoices.store;
        let now = self.parts.env.now_ms();
        let tasks = store.take_tasks(now, LEASE_MS, TASKS_AT_ONCE).await?;
        let count = tasks.len() as u64;
        for task in tasks {
            let done = match self.work_on(&task).await {
                Ok(done) => done,
                Err(error) => {
                    tracing::warn!(task.kind = task.work.name(), attempts = task.attempts, %error,
                        "invoice work failed; it is tried again");
                    Done::Later {
                        at: self.parts.env.now_ms() + pause_ms(task.attempts),
                    }
                }
            };
            match done {
                Done::Finished => store.finish_task(&task).await?,
                Done::Later { at } => store.defer_task(&task, at).await?,
            }
        }
        Ok(count)
    }

    async fn work_on(&self, task: &Task) -> Result<Done> {
        match task.work {
            Work::Apply(payment) => self.apply_by_setting(payment).await,
            Work::Issue(invoice) => self.issue_document(invoice, task.attempts).await,
            Work::Credit(payment, refund) => self.credit_refund(payment, refund, task.attempts).await,
            Work::Deliver(delivery) => self.deliver_document(delivery, task.attempts).await,
            Work::RedLetter(invoice) => self.expire_red_letter(invoice).await,
        }
    }

    /// The merchant's setting applies after the payment. A buyer who is asked is waited for; one without details gets none.
    async fn apply_by_setting(&self, payment: PaymentId) -> Result<Done> {
        let Some(payment) = self.parts.payments.find(payment).await? else {
            return Ok(Done::Finished);
        };
        Ok(match self.apply_for_invoice(&payment, &[]).await? {
            Ok(_) => Done::Finished,
            Err(ApplyRefusal::Asking { until }) => Done::Later { at: until },
            Err(refusal) => {
                tracing::info!(payment.id = %payment.id, %refusal, "no invoice by the merchant's setting");
                Done::Finished
            }
        })
    }

    async fn issue_document(&self, id: InvoiceId, attempts: i64) -> Result<Done> {
        let Some(mut invoice) = self.parts.invoices.get(id).await? else {
            return Ok(Done::Finished);
        };
        if invoice.state == InvoiceState::Applied && !self.settle(&mut invoice).await? {
            return Ok(Done::Finished);
        }
        if invoice.state != InvoiceState::Issuing {
            return Ok(Done::Finished);
        }
        let standing = match self.ask_issuer(&invoice).await? {
            Ok(standing) => standing,
            Err(problem) => return self.fail(invoice, attempts, problem).await,
        };
        match standing {
            Standing::Issued(issued) => self.complete(invoice, attempts, &issued).await,
            Standing::Accepted { ask_at } => Ok(Done::Later { at: ask_at }),
            Standing::Refused(refused) => self.fail(invoice, attempts, refused.to_string()).await,
            // A call that makes something never answers so; ask again rather than guess.
            Standing::Unknown => Err(PlatformError::UnknownOutcome),
        }
    }

    /// Settles amount and date before the issuer is asked. `false`: nothing is left to invoice, or somebody else was faster.
    async fn settle(&self, invoice: &mut Invoice) -> Result<bool> {
        let today = self.day(self.parts.env.now_ms()).to_string();
        if invoice.kind == InvoiceKind::Invoice {
            let Some(payment) = self.parts.payments.find(invoice.payment).await? else {
                return Err(PlatformError::Busy);
            };
            let refunds = self.parts.payments.refunds(payment.id).await?;
            let refunded: i64 = refunds.iter().map(|refund| refund.amount.minor).sum();
            let paid = payment.paid_at().map_or(0, |_| payment.amount.minor);
            invoice.amount = Money::new((paid - refunded).max(0), payment.amount.currency);
            invoice.refunds_before = refunds.iter().map(|refund| refund.id).collect();
        }
        let is_empty = invoice.amount.minor == 0;
        invoice.state = if is_empty {
            InvoiceState::Withdrawn
        } else {
            InvoiceState::Issuing
        };
        invoice.problem = is_empty.then(|| "everything was refunded".to_owned());
        invoice.issued_on = Some(today);
        let written = self
            .parts
            .invoices
            .store
            .advance(invoice, InvoiceState::Applied, Follow::default())
            .await?;
        Ok(written && !is_empty)
    }

    /// The request is made of kept rows, so that every attempt asks the same. The inner error: it can never be asked.
    async fn ask_issuer(&self, invoice: &Invoice) -> Result<std::result::Result<Standing, String>> {
        let setup = self.setup_of(invoice).await?;
        let issuer = IssuerProfile {
            merchant: invoice.merchant,
            numbering: setup.fields.numbering.clone(),
            language: setup.fields.language,
            logo: setup.fields.logo.clone(),
        };
        let subject = Subject::Payment(invoice.payment);
        let channels = channels_of(invoice);
        let issuing = &self.parts.invoicing;
        Ok(Ok(match invoice.kind {
            InvoiceKind::Invoice => {
                let document = match self.draft_of(invoice, &setup).await? {
                    Ok(document) => document,
                    Err(error) => return Ok(Err(error.to_string())),
                };
                let draft = Draft { document, channels };
                issuing.issue(IssueRequest { subject, issuer, draft }).await?
            }
            InvoiceKind::CreditNote { original, refund } => {
                let Some(original) = self.parts.invoices.get(original).await? else {
                    return Ok(Err("its invoice is not there".to_owned()));
                };
                let document = match self.credit_draft(invoice, &original, &setup).await? {
                    Ok(document) => document,
                    Err(error) => return Ok(Err(error.to_string())),
                };
                let draft = Draft { document, channels };
                let cause = refund.map_or(CreditCause::Reversal, CreditCause::Refund);
                issuing
                    .credit(CreditRequest {
                        of: subject,
                        cause,
                        issuer,
                        draft,
                    })
                    .await?
            }
        }))
    }

    async fn setup_of(&self, invoice: &Invoice) -> Result<TaxSetup> {
        let kept = self
            .parts
            .taxes
            .version(invoice.merchant, invoice.setup_version)
            .await?;
        kept.ok_or_else(|| PlatformError::internal("the tax set-up of an invoice is missing"))
    }

    async fn draft_of(
        &self,
        invoice: &Invoice,
        setup: &TaxSetup,
    ) -> Result<std::result::Result<document::Invoice, DraftError>> {
        let lines = self.parts.invoices.store.list_lines(invoice.id).await?;
        let refunds = self.parts.payments.refunds(invoice.payment).await?;
        let is_before = |refund: &&Refund| invoice.refunds_before.contains(&refund.id);
        let refunded: i64 = refunds.iter().filter(is_before).map(|refund| refund.amount.minor).sum();
        let payment = self.parts.payments.find(invoice.payment).await?;
        let paid_at = payment
            .and_then(|payment| payment.paid_at())
            .unwrap_or(invoice.applied_at);
        let days = Days {
            issued_on: self.issued_on(invoice),
            paid_on: self.day(paid_at),
        };
        Ok(draft::invoice(invoice, &setup.fields, &lines, refunded, days))
    }

    async fn credit_draft(
        &self,
        credit: &Invoice,
        original: &Invoice,
        setup: &TaxSetup,
    ) -> Result<std::result::Result<document::Invoice, DraftError>> {
        let first = match self.draft_of(original, &self.setup_of(original).await?).await? {
            Ok(first) => first,
            Err(error) => return Ok(Err(error)),
        };
        let credits = self.parts.invoices.credits(credit.payment).await?;
        let before = credits
            .iter()
            .filter(|other| other.state.is_issued() && other.id < credit.id);
        let before: Vec<i64> = before.map(|other| other.amount.minor).collect();
        let named = document::Original {
            number: original.number.clone().unwrap_or_default(),
            issued_on: original.issued_on.as_deref().and_then(Date::parse),
        };
        let day = self.issued_on(credit);
        let days = Days {
            issued_on: day,
            paid_on: day,
        };
        Ok(draft::credit_note(
            &first,
            named,
            &before,
            credit.amount,
            &setup.fields,
            days,
        ))
    }

    async fn complete(&self, mut invoice: Invoice, attempts: i64, issued: &IssuedDocument) -> Result<Done> {
        invoice.state = InvoiceState::Issued;
        invoice.number = Some(issued.number.clone());
        invoice.issued_on = Some(issued.issued_on.to_string());
        invoice.issued_at = issued.issued_at;
        invoice.attempts = attempts;
        invoice.problem = None;
        let now = self.parts.env.now_ms();
        let mut follow = Follow::default();
        if let InvoiceKind::CreditNote { original, .. } = invoice.kind {
            follow.credited = Some((original, invoice.amount.minor));
        }
        for channel in receivers(&invoice) {
            let id = DeliveryId::new(self.parts.env.id(invoice.id.bucket()));
            let is_here = !matches!(channel, Channel::Email(_));
            if !is_here {
                follow.tasks.push(self.parts.invoices.task(Work::Deliver(id), now));
            }
            follow.deliveries.push(Delivery {
                id,
                invoice: invoice.id,
                channel,
                state: if is_here {
                    DeliveryState::Delivered
                } else {
                    DeliveryState::Waiting
                },
                created_at: now,
                delivered_at: is_here.then_some(now),
                next_at: (!is_here).then_some(now),
                attempts: is_here
                    .then_some(Attempt { at: now, problem: None })
                    .into_iter()
                    .collect(),
            });
        }
        let store = &self.parts.invoices.store;
        store.advance(&invoice, InvoiceState::Issuing, follow).await?;
        Ok(Done::Finished)
    }

    async fn fail(&self, mut invoice: Invoice, attempts: i64, problem: String) -> Result<Done> {
        tracing::warn!(invoice.id = %invoice.id, problem, "an invoice was not issued");
        invoice.state = InvoiceState::Failed;
        invoice.attempts = attempts;
        invoice.problem = Some(problem);
        let store = &self.parts.invoices.store;
        store
            .advance(&invoice, InvoiceState::Issuing, Follow::default())
            .await?;
        Ok(Done::Finished)
    }

    /// A refund after the invoice makes a credit note; one before it only lowered what is invoiced. While the invoice is in
    /// the making the answer is not known yet. `None`: the payment was undone as a whole.
    async fn credit_refund(&self, payment: PaymentId, refund: Option<RefundId>, attempts: i64) -> Result<Done> {
        let invoice = self.parts.invoices.find(vec![payment]).await?.pop().flatten();
        let Some(invoice) = invoice.filter(|invoice| invoice.origin == InvoiceOrigin::Platform) else {
            return Ok(Done::Finished);
        };
        match invoice.state {
            InvoiceState::Waiting | InvoiceState::Applied | InvoiceState::Issuing => {
                let at = self.parts.env.now_ms() + pause_ms(attempts);
                return Ok(Done::Later { at });
            }
            InvoiceState::Credited | InvoiceState::Failed | InvoiceState::Withdrawn => return Ok(Done::Finished),
            InvoiceState::Issued => {}
        }
        let amount = match refund {
            None => invoice.amount.minor - invoice.credited_minor,
            Some(refund) if invoice.refunds_before.contains(&refund) => return Ok(Done::Finished),
            Some(refund) => {
                let refunds = self.parts.payments.refunds(payment).await?;
                let found = refunds.into_iter().find(|other| other.id == refund);
                found.map_or(0, |refund| refund.amount.minor)
            }
        };
        if amount > 0 {
            self.apply_for_credit(&invoice, refund, amount).await?;
        }
        Ok(Done::Finished)
    }

    async fn apply_for_credit(&self, original: &Invoice, refund: Option<RefundId>, minor: i64) -> Result<()> {
        let book = &self.parts.invoices;
        let now = self.parts.env.now_ms();
        let current = self.parts.taxes.current(original.merchant).await?;
        let mut credit = Invoice {
            id: InvoiceId::new(self.parts.env.id(original.id.bucket())),
            kind: InvoiceKind::CreditNote {
                original: original.id,
                refund,
            },
            state: InvoiceState::Applied,
            amount: Money::new(minor, original.amount.currency),
            setup_version: current.as_ref().map_or(original.setup_version, |setup| setup.version),
            credited_minor: 0,
            refunds_before: Vec::new(),
            number: None,
            issued_on: None,
            issued_at: now,
            applied_at: now,
            attempts: 0,
            problem: None,
            ..original.clone()
        };
        let is_chinese = current.is_some_and(|setup| setup.fields.country == "CN");
        let tasks = if is_chinese {
            let buyer_books = credit
                .buyer
                .as_ref()
                .is_some_and(|buyer| buyer.title_kind == TitleKind::Company);
            book.follow_form(&mut credit, RedLetter::enter(buyer_books, now))
        } else {
            vec![book.task(Work::Issue(credit.id), now)]
        };
        book.store.insert_or_find(&credit, &[], &tasks).await?;
        Ok(())
    }

    async fn expire_red_letter(&self, id: InvoiceId) -> Result<Done> {
        let book = &self.parts.invoices;
        let now = self.parts.env.now_ms();
        let Some(mut invoice) = book
            .get(id)
            .await?
            .filter(|invoice| invoice.state == InvoiceState::Waiting)
        else {
            return Ok(Done::Finished);
        };
        let Some(form) = invoice.red_letter.map(|form| form.at(now)) else {
            return Ok(Done::Finished);
        };
        if form.state == onescan_domain::invoicing::RedLetterState::AwaitsBuyer {
            return Ok(Done::Later { at: form.until });
        }
        let tasks = book.follow_form(&mut invoice, form);
        let follow = Follow {
            tasks,
            ..Follow::default()
        };
        book.store.advance(&invoice, InvoiceState::Waiting, follow).await?;
        Ok(Done::Finished)
    }

    /// Today's date on documents.
    pub fn today(&self) -> Date {
        self.day(self.parts.env.now_ms())
    }

    /// The day of `at_ms` where the server keeps its books.
    fn day(&self, at_ms: i64) -> Date {
        let zone = TimeZone::get(&self.settings.time_zone).unwrap_or(TimeZone::UTC);
        let local = instant(at_ms).to_zoned(zone).date();
        let year = u16::try_from(local.year()).unwrap_or(1970);
        Date::new(year, local.month() as u8, local.day() as u8).expect("a calendar's day exists")
    }

    fn issued_on(&self, invoice: &Invoice) -> Date {
        let kept = invoice.issued_on.as_deref().and_then(Date::parse);
        kept.unwrap_or_else(|| self.day(invoice.applied_at))
    }
}

/// The key under which the issuer knows the document of an invoice or credit note.
pub fn document_key(invoice: &Invoice) -> DocumentKey {
    let of = Subject::Payment(invoice.payment);
    match invoice.kind {
        InvoiceKind::Invoice => DocumentKey::Invoice(of),
        InvoiceKind::CreditNote { refund, .. } => DocumentKey::Credit {
            of,
            cause: refund.map_or(CreditCause::Reversal, CreditCause::Refund),
        },
    }
}

fn channels_of(invoice: &Invoice) -> Vec<DeliveryChannel> {
    invoice.buyer.iter().map(|buyer| buyer.channel.clone()).collect()
}

/// The merchant's list, the person's inbox, and an e-mail where the profile asks for one.
fn receivers(invoice: &Invoice) -> Vec<Channel> {
    let mut receivers = vec![Channel::Merchant, Channel::Inbox];
    for channel in channels_of(invoice) {
        match channel {
            DeliveryChannel::Inbox => {}
            DeliveryChannel::Email(address) => receivers.push(Channel::Email(address)),
        }
    }
    receivers
}
