//! The book of invoices: which payment has which, how far it is, and where its document went.

use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{DeliveryId, EventId, InvoiceId, PaymentId};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState, RedLetter, RedLetterMove};
use onescan_domain::money::Money;
use onescan_domain::payments::Payment;
use onescan_domain::profiles::{InvoiceProfile, is_email};

use super::{
    Channel, Delivery, DeliveryState, Follow, InvoiceFilter, InvoiceScope, InvoiceStore, InvoiceTotal, Issued, Made,
    NewTask, ReportRefusal, Reported, Work,
};
use crate::env::Env;
use crate::error::Result;
use crate::payments::Page;

/// Keeps the invoices of payments; cheap to clone.
#[derive(Clone)]
pub struct InvoiceBook {
    env: Env,
    pub(crate) store: Arc<dyn InvoiceStore>,
}

impl std::fmt::Debug for InvoiceBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InvoiceBook").finish_non_exhaustive()
    }
}

/// Why a red-letter form does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedLetterRefusal {
    #[error("there is no such credit note that waits for a confirmation")]
    Unknown,
    #[error("the form does not allow it: it stands at {code}")]
    State { code: &'static str },
}

/// E-mail addresses that one document goes to.
const ADDRESSES_MAX: usize = 5;

/// Why a document is not sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefusal {
    #[error("an e-mail address has a name, an @ and a domain")]
    Address,
    #[error("there is no document: it is not issued, or the merchant's own system keeps it")]
    NotIssued,
    #[error("the document went to {ADDRESSES_MAX} addresses already")]
    TooMany,
}

impl InvoiceBook {
    pub fn new(env: Env, store: Arc<dyn InvoiceStore>) -> Self {
        Self { env, store }
    }

    /// Records that the merchant's own system issued the invoice of a payment; from now on the code reads as invoice issued.
    /// At most one per payment: a repeat returns the first and says so, a number is added to an invoice that had none, another
    /// number is refused. The profile stays that of the first call. Rows S13, S17.
    pub async fn report(&self, report: Reported) -> Result<Result<Issued, ReportRefusal>> {
        let Reported {
            payment,
            profile,
            number,
        } = report;
        let mut wanted = self.blank(&payment, profile.as_ref());
        wanted.number.clone_from(&number);
        let kept = self.store.insert_or_find(&wanted, &[], &[]).await?;
        if kept.id == wanted.id {
            return Ok(Ok(Issued {
                invoice: Box::new(kept),
                made: Made::Now,
            }));
        }
        let before = |invoice| Issued {
            invoice: Box::new(invoice),
            made: Made::Before,
        };
        let Some(number) = number else {
            return Ok(Ok(before(kept)));
        };
        if kept.number.is_none() && kept.origin == InvoiceOrigin::Reported {
            self.store.set_number(payment.id.bucket(), payment.id, &number).await?;
        }
        // The first number that was told stays, also when two are told at once.
        let kept = self.store.find(vec![payment.id]).await?.pop().flatten().unwrap_or(kept);
        Ok(if kept.number.as_ref() == Some(&number) {
            Ok(before(kept))
        } else {
            Err(ReportRefusal::Issued(Box::new(kept)))
        })
    }

    /// An invoice of `payment` as its merchant's own system would have issued it now.
    pub(crate) fn blank(&self, payment: &Payment, profile: Option<&InvoiceProfile>) -> Invoice {
        let now = self.env.now_ms();
        Invoice {
            id: InvoiceId::new(self.env.id(payment.id.bucket())),
            kind: InvoiceKind::Invoice,
            origin: InvoiceOrigin::Reported,
            state: InvoiceState::Issued,
            payment: payment.id,
            merchant: payment.merchant,
            person: payment.person,
            record: payment.record.clone(),
            member: payment.member,
            scenario: payment.scenario,
            order_number: payment.order_number.clone(),
            subject: payment.subject.clone(),
            profile: profile.map(|profile| profile.id),
            buyer: profile.map(|profile| profile.fields.clone()),
            seller_name: String::new(),
            setup_version: 0,
            language: "en".to_owned(),
            amount: Money::new(payment.amount.minor - payment.refunded_minor, payment.amount.currency),
            credited_minor: 0,
            refunds_before: Vec::new(),
            number: None,
            issued_on: None,
            issued_at: now,
            applied_at: now,
            attempts: 0,
            problem: None,
            red_letter: None,
        }
    }

    /// The invoices of payments, in order.
    pub async fn find(&self, payments: Vec<PaymentId>) -> Result<Vec<Option<Invoice>>> {
        self.store.find(payments).await
    }

    /// An invoice or a credit note.
    pub async fn get(&self, id: InvoiceId) -> Result<Option<Invoice>> {
        self.store.find_invoice(id).await
    }

    /// The credit notes of a payment's invoice, the oldest first.
    pub async fn credits(&self, payment: PaymentId) -> Result<Vec<Invoice>> {
        self.store.list_credits(payment).await
    }

    /// Newest first; with credit notes.
    pub async fn list(&self, scope: &InvoiceScope, filter: &InvoiceFilter, page: &Page) -> Result<Vec<Invoice>> {
        self.store.list_invoices(scope, filter, page).await
    }

    /// [`Self::list`], not a page of it but at most `max` rows.
    pub async fn list_all(&self, scope: &InvoiceScope, filter: &InvoiceFilter, max: usize) -> Result<Vec<Invoice>> {
        let mut page = Page {
            after: None,
            limit: 200,
        };
        let mut all = Vec::new();
        while all.len() < max {
            let found = self.list(scope, filter, &page).await?;
            let is_last = found.len() < page.limit as usize;
            page.after = found.last().map(|invoice| invoice.id.stored());
            all.extend(found);
            if is_last {
                break;
            }
        }
        all.truncate(max);
        Ok(all)
    }

    /// Sums by month, member and scenario under an institution's record, newest month first.
    pub async fn totals(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceTotal>> {
        self.store.sum_invoices(bucket, record).await
    }

    /// Where the document went and goes, the oldest first.
    pub async fn deliveries(&self, invoice: InvoiceId) -> Result<Vec<Delivery>> {
        self.store.list_deliveries(invoice).await
    }

    /// Sends it once more, now; a delivery that is under way is only hurried. `None`: the invoice has no such delivery.
    pub async fn resend(&self, invoice: InvoiceId, delivery: DeliveryId) -> Result<Option<Delivery>> {
        let found = self.store.find_delivery(delivery).await?;
        let Some(mut delivery) = found.filter(|delivery| delivery.invoice == invoice) else {
            return Ok(None);
        };
        let now = self.env.now_ms();
        delivery.state = DeliveryState::Waiting;
        delivery.next_at = Some(now);
        let task = self.task(Work::Deliver(delivery.id), now);
        self.store.resend(&delivery, &task).await?;
        Ok(Some(delivery))
    }

    /// Sends an issued document of ours to an e-mail address. An address it went to already gets it once more by that
    /// delivery. Refuses in the order of [`SendRefusal`].
    pub async fn send_to(&self, invoice: &Invoice, address: &str) -> Result<Result<Delivery, SendRefusal>> {
        let address = address.trim();
        if !is_email(address) {
            return Ok(Err(SendRefusal::Address));
        }
        if invoice.origin != InvoiceOrigin::Platform || !invoice.state.is_issued() {
            return Ok(Err(SendRefusal::NotIssued));
        }
        let known = self.deliveries(invoice.id).await?;
        let same = |delivery: &&Delivery| matches!(&delivery.channel, Channel::Email(known) if known == address);
        if let Some(delivery) = known.iter().find(same) {
            let again = self.resend(invoice.id, delivery.id).await?;
            return Ok(again.ok_or(SendRefusal::NotIssued));
        }
        let by_mail = known
            .iter()
            .filter(|delivery| matches!(delivery.channel, Channel::Email(_)));
        if by_mail.count() >= ADDRESSES_MAX {
            return Ok(Err(SendRefusal::TooMany));
        }
        let now = self.env.now_ms();
        let delivery = Delivery {
            id: DeliveryId::new(self.env.id(invoice.id.bucket())),
            invoice: invoice.id,
            channel: Channel::Email(address.to_owned()),
            state: DeliveryState::Waiting,
            created_at: now,
            delivered_at: None,
            next_at: Some(now),
            attempts: Vec::new(),
        };
        let task = self.task(Work::Deliver(delivery.id), now);
        self.store.add_delivery(&delivery, &task).await?;
        Ok(Ok(delivery))
    }

    /// Moves the red-letter form of a credit note: the buyer confirms or refuses, the seller withdraws or enters it again. Once
    /// confirmed the credit note is issued. The caller has checked whose move it is. Source: FIELD section 5.3.
    pub async fn move_red_letter(
        &self,
        credit_note: InvoiceId,
        step: RedLetterMove,
    ) -> Result<Result<Invoice, RedLetterRefusal>> {
        let now = self.env.now_ms();
        let found = self.store.find_invoice(credit_note).await?;
        let Some((mut invoice, form)) = found.and_then(|invoice| invoice.red_letter.map(|form| (invoice, form))) else {
            return Ok(Err(RedLetterRefusal::Unknown));
        };
        let refusal = RedLetterRefusal::State {
            code: form.at(now).state.code(),
        };
        let Some(moved) = form.after(step, now) else {
            return Ok(Err(refusal));
        };
        let from = invoice.state;
        let tasks = self.follow_form(&mut invoice, moved);
        let follow = Follow {
            tasks,
            ..Follow::default()
        };
        let written = self.store.advance(&invoice, from, follow).await?;
        Ok(if written { Ok(invoice) } else { Err(refusal) })
    }

    /// Sets the form and what it means for the credit note; the work that follows.
    pub(crate) fn follow_form(&self, invoice: &mut Invoice, form: RedLetter) -> Vec<NewTask> {
        use onescan_domain::invoicing::RedLetterState::{AwaitsBuyer, Expired, Refused, Withdrawn};
        invoice.red_letter = Some(form);
        invoice.problem = None;
        let now = self.env.now_ms();
        match form.state {
            AwaitsBuyer => {
                invoice.state = InvoiceState::Waiting;
                vec![self.task(Work::RedLetter(invoice.id), form.until)]
            }
            Refused | Expired => {
                invoice.state = InvoiceState::Failed;
                let reason = match form.state {
                    Refused => "the buyer refused the red-letter form",
                    _ => "the red-letter form expired",
                };
                invoice.problem = Some(reason.to_owned());
                Vec::new()
            }
            Withdrawn => {
                invoice.state = InvoiceState::Withdrawn;
                Vec::new()
            }
            _ => {
                invoice.state = InvoiceState::Applied;
                vec![self.task(Work::Issue(invoice.id), now)]
            }
        }
    }

    pub(crate) fn task(&self, work: Work, at: i64) -> NewTask {
        NewTask {
            id: EventId::new(self.env.id(work.subject().bucket())),
            work,
            at,
        }
    }
}
