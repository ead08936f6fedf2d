//! The bill's document by e-mail to where the institution's invoice profile wants it. Rows R09, S20.

use onescan_domain::ids::{BillId, DeliveryId, InstitutionId};
use onescan_domain::money::Money;
use onescan_domain::profiles::DeliveryChannel;
use onescan_domain::rides::bill::{Bill, BillState};

use super::documents::document_key;
use super::{Bills, FIRST_PAUSE_MS, LEASE_MS, LONGEST_PAUSE_MS, SendRefusal};
use crate::error::Result;
use crate::invoicing::{DeliveryState, Format, Language};
use crate::processing::delivery::documents::{DocumentName, MailError, Message, file_name, words};

/// The newest message of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillMail {
    pub bill: BillId,
    /// The message's, the same for every attempt.
    pub id: DeliveryId,
    pub address: String,
    pub state: DeliveryState,
    pub attempts: i64,
    /// When it is tried next; `None` when it is not.
    pub next_at: Option<i64>,
    /// Why the last attempt failed.
    pub problem: Option<String>,
    pub created_at: i64,
    pub delivered_at: Option<i64>,
}

const MAILS_AT_ONCE: u32 = 8;
/// About two days; then it is given up until somebody sends it again.
const ATTEMPTS_MAX: i64 = 60;

impl Bills {
    /// The newest message; `None`: none was to be sent.
    pub async fn mail(&self, bill: BillId) -> Result<Option<BillMail>> {
        self.store.find_mail(bill).await
    }

    /// Sends an issued bill's document again, to the address that its profile names now.
    pub async fn send(
        &self,
        institution: InstitutionId,
        id: BillId,
    ) -> Result<std::result::Result<BillMail, SendRefusal>> {
        let Some(bill) = self.of_institution(institution, id).await? else {
            return Ok(Err(SendRefusal::Unknown));
        };
        let BillState::Issued { .. } = bill.state else {
            let state = bill.state.name();
            return Ok(Err(SendRefusal::State { state }));
        };
        let Some(mail) = self.mail_of(&bill).await? else {
            return Ok(Err(SendRefusal::NoAddress));
        };
        self.store.put_mail(&mail).await?;
        Ok(Ok(mail))
    }

    /// Sends what is due; how many were tried. A message may arrive twice when a server stops in between, under one id.
    pub async fn deliver(&self) -> Result<u64> {
        let now = self.env.now_ms();
        let taken = self.store.take_mails(now, LEASE_MS, MAILS_AT_ONCE).await?;
        let count = taken.len() as u64;
        for mut mail in taken {
            let sent = self.send_document(&mail).await?;
            let now = self.env.now_ms();
            mail.problem = sent.as_ref().err().map(ToString::to_string);
            (mail.state, mail.next_at, mail.delivered_at) = match sent {
                Ok(()) => (DeliveryState::Delivered, None, Some(now)),
                Err(MailError::Transient(_) | MailError::NotConfigured) if mail.attempts < ATTEMPTS_MAX => {
                    let pause = FIRST_PAUSE_MS << mail.attempts.clamp(0, 20);
                    (DeliveryState::Waiting, Some(now + pause.min(LONGEST_PAUSE_MS)), None)
                }
                Err(MailError::Permanent(_) | MailError::Transient(_) | MailError::NotConfigured) => {
                    (DeliveryState::Failed, None, None)
                }
            };
            self.store.note_mail(&mail).await?;
        }
        Ok(count)
    }

    /// `None` where the buyer's profile wants it in the inbox only.
    pub(super) async fn mail_of(&self, bill: &Bill) -> Result<Option<BillMail>> {
        let Some(document) = bill.document else {
            return Ok(None);
        };
        let profile = self.parts.profiles.find(document.profile).await?;
        let Some(DeliveryChannel::Email(address)) = profile.map(|profile| profile.fields.channel) else {
            return Ok(None);
        };
        let now = self.env.now_ms();
        Ok(Some(BillMail {
            bill: bill.id,
            id: DeliveryId::new(self.env.id(bill.id.bucket())),
            address,
            state: DeliveryState::Waiting,
            attempts: 0,
            next_at: Some(now),
            problem: None,
            created_at: now,
            delivered_at: None,
        }))
    }

    async fn send_document(&self, mail: &BillMail) -> Result<std::result::Result<(), MailError>> {
        let found = self.store.find_bill(mail.bill).await?;
        let Some((bill, document)) = found.and_then(|bill| Some((bill.clone(), bill.document?))) else {
            return Ok(Err(MailError::Permanent("the bill is not there".to_owned())));
        };
        let BillState::Issued { number, .. } = &bill.state else {
            return Ok(Err(MailError::Permanent("the bill is not issued".to_owned())));
        };
        let key = document_key(&bill);
        let Some(file) = self.parts.invoicing.fetch(bill.provider, key, Format::Pdf).await? else {
            return Ok(Err(MailError::Transient("the document is not to be had".to_owned())));
        };
        let setup = self.parts.taxes.version(bill.provider, document.setup_version).await?;
        let Some(seller) = setup.map(|setup| setup.fields) else {
            return Ok(Err(MailError::Permanent("the seller's set-up is not there".to_owned())));
        };
        let language = match seller.language {
            Language::English => "en",
            Language::German => "de",
            Language::Chinese => "zh",
        };
        let name = match bill.corrects {
            None => DocumentName::Invoice,
            Some(_) => DocumentName::CreditNote,
        };
        let amount = Money::new(bill.tally.total_minor().abs(), bill.currency).to_string();
        let (subject, text) = words(language, name, number, &seller.legal_name, &amount);
        let message = Message {
            id: mail.id,
            to: mail.address.clone(),
            subject,
            text,
            file_name: file_name(number),
            media_type: Format::Pdf.media_type(),
            file,
        };
        Ok(self.parts.mailer.send(message).await)
    }
}
