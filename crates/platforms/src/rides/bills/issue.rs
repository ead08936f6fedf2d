//! A closed bill becomes one e-invoice of the provider. Row R09. Source: R claim 9.

use onescan_domain::calendar;
use onescan_domain::ids::BillId;
use onescan_domain::profiles::InvoiceProfile;
use onescan_domain::rides::bill::{Bill, BillDocument, BillState};
use onescan_einvoice::invoice::Original;

use super::Bills;
use super::documents::document_key;
use crate::env::local_time;
use crate::error::{PlatformError, Result};
use crate::invoicing::bill::{self, BillHead};
use crate::invoicing::{
    CreditCause, CreditRequest, Draft, IssueRequest, IssuedDocument, IssuerProfile, Standing, Subject,
};
use crate::merchants::tax::TaxSetup;

/// What the issuer is asked for.
enum Asked {
    Invoice(IssueRequest),
    CreditNote(CreditRequest),
}

/// What the document needs beside the rides.
struct Sides {
    seller: TaxSetup,
    buyer: InvoiceProfile,
}

impl Bills {
    /// Asks first where the document stands, so that nothing that changed meanwhile can make a second one.
    pub(super) async fn issue_document(&self, mut bill: Bill) -> Result<()> {
        let key = document_key(&bill);
        let known = self.parts.invoicing.status(bill.provider, key).await?;
        if let Standing::Issued(issued) = known {
            return self.complete(bill, &issued).await;
        }
        let sides = match self.settle(&mut bill).await? {
            Ok(sides) => sides,
            Err(problem) => return self.fail(bill, problem).await,
        };
        let request = match self.request(&bill, sides).await? {
            Ok(request) => request,
            Err(error) => return self.fail(bill, error.to_string()).await,
        };
        let standing = match request {
            Asked::Invoice(request) => self.parts.invoicing.issue(request).await?,
            Asked::CreditNote(request) => self.parts.invoicing.credit(request).await?,
        };
        match standing {
            Standing::Issued(issued) => self.complete(bill, &issued).await,
            Standing::Accepted { ask_at } => self.store.defer_bill(bill.id, ask_at).await,
            Standing::Refused(refused) => self.fail(bill, refused.to_string()).await,
            // A call that makes something never answers so; ask again rather than guess.
            Standing::Unknown => Err(PlatformError::UnknownOutcome),
        }
    }

    /// Fixes date, set-up and buyer before the issuer is asked, so that every attempt asks the same.
    async fn settle(&self, bill: &mut Bill) -> Result<std::result::Result<Sides, String>> {
        if let Some(document) = bill.document {
            let seller = self.parts.taxes.version(bill.provider, document.setup_version).await?;
            let buyer = self.parts.profiles.find(document.profile).await?;
            if let Some((seller, buyer)) = seller.zip(buyer) {
                return Ok(Ok(Sides { seller, buyer }));
            }
        }
        let Some(seller) = self.parts.taxes.current(bill.provider).await? else {
            return Ok(Err("the provider has not entered its tax set-up yet".to_owned()));
        };
        let Some(buyer) = self.buyer_of(bill).await? else {
            return Ok(Err("the institution has not entered its invoice profile yet".to_owned()));
        };
        let institution = self.institution(bill.institution).await?;
        let now = self.env.now_ms();
        let today = calendar::Date::of_days(local_time(now, &institution.time_zone).day);
        bill.document = Some(BillDocument {
            issued_on: today.ok_or_else(|| PlatformError::internal("the clock is beyond the calendar"))?,
            setup_version: seller.version,
            profile: buyer.id,
        });
        bill.changed_at = now;
        if !self.store.move_bill(bill, "issuing", Some(now)).await? {
            return Err(PlatformError::Busy);
        }
        Ok(Ok(Sides { seller, buyer }))
    }

    /// The profile the institution prefers, else its first one that is meant for everything, else its first; where it has none,
    /// that of the nearest institution above it.
    async fn buyer_of(&self, bill: &Bill) -> Result<Option<InvoiceProfile>> {
        for level in self.parts.institutions.lineage(bill.institution).await? {
            let Some(record) = self.parts.codes.record_of_institution(level.id).await? else {
                continue;
            };
            let mut profiles = self.parts.profiles.list(record.bucket, &record.id).await?;
            profiles.sort_by_key(|profile| (!profile.preferred, !profile.scenarios.is_empty(), profile.created_at));
            if let Some(first) = profiles.into_iter().next() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    async fn request(&self, bill: &Bill, sides: Sides) -> Result<std::result::Result<Asked, bill::BillDraftError>> {
        let Some(document) = bill.document else {
            return Err(PlatformError::internal("a bill is issued before it was settled"));
        };
        let Sides { seller, buyer } = sides;
        let corrects = match bill.corrects {
            Some(of) => Some((of, self.original(of).await?)),
            None => None,
        };
        let rides = self.rides_of(bill, Some(&seller.fields)).await?;
        let id = bill.id.to_string();
        let head = BillHead {
            seller: &seller.fields,
            buyer: &buyer.fields,
            issued_on: bill::day(document.issued_on),
            reference: &id,
            currency: bill.currency,
            total_minor: bill.tally.total_minor().abs(),
            corrects: corrects.as_ref().map(|(_, original)| original),
        };
        let drawn = match bill::invoice(head, &rides) {
            Ok(drawn) => drawn,
            Err(error) => return Ok(Err(error)),
        };
        // A list of 100,000 rides is not kept beside the lines made of it.
        drop(rides);
        let issuer = IssuerProfile {
            merchant: bill.provider,
            numbering: seller.fields.numbering.clone(),
            language: seller.fields.language,
            logo: seller.fields.logo.clone(),
        };
        let draft = Draft {
            document: drawn,
            channels: vec![buyer.fields.channel.clone()],
        };
        let subject = Subject::Bill(bill.id);
        Ok(Ok(match corrects {
            None => Asked::Invoice(IssueRequest { subject, issuer, draft }),
            Some((of, _)) => Asked::CreditNote(CreditRequest {
                of: Subject::Bill(of),
                cause: CreditCause::CreditNote(bill.id),
                issuer,
                draft,
            }),
        }))
    }

    async fn original(&self, of: BillId) -> Result<Original> {
        let found = self.store.find_bill(of).await?;
        let named = found.and_then(|bill| match bill.state {
            BillState::Issued { number, .. } => Some(Original {
                number,
                issued_on: bill.document.map(|document| bill::day(document.issued_on)),
            }),
            BillState::Closing | BillState::Closed | BillState::Issuing | BillState::Failed { .. } => None,
        });
        named.ok_or_else(|| PlatformError::internal("a credit note corrects a bill without an invoice"))
    }

    async fn complete(&self, mut bill: Bill, issued: &IssuedDocument) -> Result<()> {
        bill.state = BillState::Issued {
            number: issued.number.clone(),
            at: issued.issued_at,
        };
        bill.changed_at = self.env.now_ms();
        let mail = self.mail_of(&bill).await?;
        self.store.complete_bill(&bill, mail.as_ref()).await.map(drop)
    }

    /// Nothing was issued: the next attempt may say something else.
    async fn fail(&self, mut bill: Bill, problem: String) -> Result<()> {
        tracing::warn!(bill.id = %bill.id, problem, "a bill was not issued");
        bill.state = BillState::Failed { problem };
        bill.document = None;
        bill.changed_at = self.env.now_ms();
        self.store.move_bill(&bill, "issuing", None).await.map(drop)
    }
}
