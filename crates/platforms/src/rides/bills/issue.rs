//! A closed bill becomes one e-invoice of the provider. Row R09. Source: R claim 9.

use onescan_domain::calendar;
use onescan_domain::profiles::InvoiceProfile;
use onescan_domain::rides::bill::{Bill, BillDocument, BillState};

use super::Bills;
use super::documents::document_key;
use crate::env::local_time;
use crate::error::{PlatformError, Result};
use crate::invoicing::bill::{self, BillHead};
use crate::invoicing::{Draft, IssueRequest, IssuedDocument, IssuerProfile, Standing, Subject};
use crate::merchants::tax::TaxSetup;

/// What the document needs beside the rides.
struct Sides {
    seller: TaxSetup,
    buyer: InvoiceProfile,
}

impl Bills {
    /// Asks first where the document stands, so that nothing that changed meanwhile can make a second one.
    pub(super) async fn issue_document(&self, mut bill: Bill) -> Result<()> {
        let key = document_key(bill.id);
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
        match self.parts.invoicing.issue(request).await? {
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

    async fn request(
        &self,
        bill: &Bill,
        sides: Sides,
    ) -> Result<std::result::Result<IssueRequest, bill::BillDraftError>> {
        let Some(document) = bill.document else {
            return Err(PlatformError::internal("a bill is issued before it was settled"));
        };
        let Sides { seller, buyer } = sides;
        let rides = self.rides_of(bill, Some(&seller.fields)).await?;
        let id = bill.id.to_string();
        let head = BillHead {
            seller: &seller.fields,
            buyer: &buyer.fields,
            issued_on: bill::day(document.issued_on),
            reference: &id,
            currency: bill.currency,
            total_minor: bill.tally.total_minor(),
        };
        let drawn = match bill::invoice(head, &rides) {
            Ok(drawn) => drawn,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(IssueRequest {
            subject: Subject::Bill(bill.id),
            issuer: IssuerProfile {
                merchant: bill.provider,
                numbering: seller.fields.numbering.clone(),
                language: seller.fields.language,
                logo: seller.fields.logo.clone(),
            },
            draft: Draft {
                document: drawn,
                channels: vec![buyer.fields.channel.clone()],
            },
        }))
    }

    async fn complete(&self, mut bill: Bill, issued: &IssuedDocument) -> Result<()> {
        bill.state = BillState::Issued {
            number: issued.number.clone(),
            at: issued.issued_at,
        };
        bill.changed_at = self.env.now_ms();
        self.store.move_bill(&bill, "issuing", None).await.map(drop)
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
