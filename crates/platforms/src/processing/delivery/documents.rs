//! Issued documents on their way: the bytes for whoever may read them, and e-mail to the person's channel. Row S20. Source:
//! S \[86\], \[123\].

use async_trait::async_trait;
use onescan_domain::ids::{DeliveryId, MerchantId};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin};
use onescan_domain::money::Currency;
use onescan_einvoice::pdf::{self, FapiaoTitles};
use onescan_einvoice::titles::profile::title_of;
use onescan_einvoice::xml::{self, Limits};

use super::super::Processing;
use super::super::issuing::{Done, document_key, pause_ms};
use crate::error::{PlatformError, Result};
use crate::invoicing::{Attempt, Channel, Delivery, DeliveryState, FileFacts, Format, Standing};

/// A message with a document attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Unique for the delivery, the same for every attempt, so that a receiver can tell a repeat.
    pub id: DeliveryId,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub file_name: String,
    pub media_type: &'static str,
    pub file: Vec<u8>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The address or the message will never be taken.
    #[error("refused for good: {0}")]
    Permanent(String),
    #[error("not taken now: {0}")]
    Transient(String),
    #[error("no mail server is configured")]
    NotConfigured,
}

/// The way out for e-mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Returns once the next server has taken the message.
    async fn send(&self, message: Message) -> std::result::Result<(), MailError>;
}

/// After so many attempts (about two days) a delivery is given up until somebody sends it again.
const ATTEMPTS_MAX: usize = 60;

impl Processing {
    /// What forms an issued document has; empty: none is issued here, or not yet.
    pub async fn files_of(&self, invoice: &Invoice) -> Result<Vec<FileFacts>> {
        if invoice.origin == InvoiceOrigin::Reported || !invoice.state.is_issued() {
            return Ok(Vec::new());
        }
        let standing = self
            .parts
            .invoicing
            .status(invoice.merchant, document_key(invoice))
            .await?;
        Ok(match standing {
            Standing::Issued(issued) => issued.files,
            Standing::Unknown | Standing::Accepted { .. } | Standing::Refused(_) => Vec::new(),
        })
    }

    /// The bytes of a document; `None`: it has no such form, or is not issued.
    pub async fn file_of(&self, invoice: &Invoice, format: Format) -> Result<Option<Vec<u8>>> {
        if invoice.origin == InvoiceOrigin::Reported || !invoice.state.is_issued() {
            return Ok(None);
        }
        let issuer: MerchantId = invoice.merchant;
        self.parts.invoicing.fetch(issuer, document_key(invoice), format).await
    }

    /// The document on a page in fapiao form, for reading only; `None`: it is not issued here, or not in CNY. Drawn from the
    /// issued document, so that the same document gives the same page.
    pub async fn fapiao_form(&self, invoice: &Invoice) -> Result<Option<Vec<u8>>> {
        if invoice.amount.currency != Currency::CNY {
            return Ok(None);
        }
        let Some(xml) = self.file_of(invoice, Format::Cii).await? else {
            return Ok(None);
        };
        let setup = self
            .parts
            .taxes
            .version(invoice.merchant, invoice.setup_version)
            .await?;
        let titles = FapiaoTitles {
            buyer: invoice.buyer.as_ref().map(title_of).unwrap_or_default(),
            seller: setup.map(|setup| setup.fields.title()).unwrap_or_default(),
        };
        let drawing = tokio::task::spawn_blocking(move || {
            let read = xml::read(&xml, &Limits::default()).map_err(PlatformError::internal)?;
            let form = pdf::fapiao(&read.invoice, &titles, read.invoice.issued_on).map_err(PlatformError::internal)?;
            Ok(form.pdf)
        });
        drawing.await.map_err(PlatformError::internal)?.map(Some)
    }

    /// One attempt; kept with what came of it, and tried again after a growing pause.
    pub(in crate::processing) async fn deliver_document(&self, id: DeliveryId, attempts: i64) -> Result<Done> {
        let store = &self.parts.invoices.store;
        let found = store.find_delivery(id).await?;
        let Some(mut delivery) = found.filter(|delivery| delivery.state == DeliveryState::Waiting) else {
            return Ok(Done::Finished);
        };
        let outcome = self.send(&delivery).await?;
        let now = self.parts.env.now_ms();
        let tried = delivery.attempts.len() + 1;
        let problem = outcome.as_ref().err().map(ToString::to_string);
        let next_at = match &outcome {
            Ok(()) => {
                delivery.state = DeliveryState::Delivered;
                delivery.delivered_at = Some(now);
                None
            }
            Err(MailError::Transient(_) | MailError::NotConfigured) if tried < ATTEMPTS_MAX => {
                Some(now + pause_ms(attempts))
            }
            Err(MailError::Permanent(_) | MailError::Transient(_) | MailError::NotConfigured) => {
                delivery.state = DeliveryState::Failed;
                None
            }
        };
        delivery.next_at = next_at;
        store.note_attempt(&delivery, &Attempt { at: now, problem }).await?;
        Ok(next_at.map_or(Done::Finished, |at| Done::Later { at }))
    }

    async fn send(&self, delivery: &Delivery) -> Result<std::result::Result<(), MailError>> {
        let Channel::Email(to) = &delivery.channel else {
            return Ok(Ok(()));
        };
        let Some(invoice) = self.parts.invoices.get(delivery.invoice).await? else {
            return Ok(Err(MailError::Permanent("the invoice is not there".to_owned())));
        };
        let Some(file) = self.file_of(&invoice, Format::Pdf).await? else {
            return Ok(Err(MailError::Transient("the document is not to be had".to_owned())));
        };
        let person = self.parts.people.find(invoice.person).await?;
        let language = person.map_or_else(|| invoice.language.clone(), |person| person.language);
        let number = invoice.number.clone().unwrap_or_default();
        let name = match invoice.kind {
            InvoiceKind::Invoice => DocumentName::Invoice,
            InvoiceKind::CreditNote { .. } => DocumentName::CreditNote,
        };
        let words = words(
            &language,
            name,
            &number,
            &invoice.seller_name,
            &invoice.amount.to_string(),
        );
        Ok(self
            .parts
            .mailer
            .send(Message {
                id: delivery.id,
                to: to.clone(),
                subject: words.0,
                text: words.1,
                file_name: file_name(&number),
                media_type: Format::Pdf.media_type(),
                file,
            })
            .await)
    }
}

/// A number may hold signs that no file name has.
pub fn file_name(number: &str) -> String {
    let safe: String = number
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.') {
                letter
            } else {
                '-'
            }
        })
        .collect();
    format!("{safe}.pdf")
}

/// What a message calls its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentName {
    Invoice,
    CreditNote,
}

/// Subject and text.
pub(crate) fn words(language: &str, name: DocumentName, number: &str, seller: &str, amount: &str) -> (String, String) {
    let is_invoice = name == DocumentName::Invoice;
    match language.split('-').next().unwrap_or_default() {
        "zh" => {
            let what = if is_invoice { "发票" } else { "红字发票" };
            (
                format!("{seller}:{what} {number}"),
                format!(
                    "您好,\n\n附件为 {seller} 的{what} {number},金额 {amount}。\n该 PDF 内含机器可读的发票数据,可直接用于报销。\n"
                ),
            )
        }
        "de" => {
            let what = if is_invoice { "Rechnung" } else { "Gutschrift" };
            (
                format!("{seller}: {what} {number}"),
                format!(
                    "Guten Tag,\n\nanbei die {what} {number} von {seller} über {amount}.\nDas PDF enthält die Daten auch \
                     maschinenlesbar.\n"
                ),
            )
        }
        _ => {
            let what = if is_invoice { "invoice" } else { "credit note" };
            (
                format!("{seller}: {what} {number}"),
                format!(
                    "Hello,\n\nattached is the {what} {number} of {seller} over {amount}.\nThe PDF carries the data in \
                     machine-readable form too.\n"
                ),
            )
        }
    }
}
