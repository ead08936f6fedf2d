//! Information delivery: the buyer's details to the merchant, and the invoice's state to everybody.

pub mod documents;

use onescan_domain::codes::{CodeKind, CodeRecordId, CodeRefusal, CodeStatus, CodeText};
use onescan_domain::ids::{ChoiceId, InstitutionId, PersonId, ProfileId};
use onescan_domain::invoicing::Invoice;
use onescan_domain::payments::batch::PayOutcome;
use onescan_domain::payments::{PayError, Payment};
use onescan_domain::profiles::{InvoiceProfile, ProfileChoice};

use super::Processing;
use super::issuing::ApplyRefusal;
use super::payment::ScanRefusal;
use crate::error::Result;
use crate::invoicing::draft::InvoiceLine;
use crate::invoicing::{Issued, Made, ReportRefusal, Reported};
use crate::merchants::tax::InvoicingMode;
use crate::payments::{AssertPaid, TerminalFacts};
use crate::profiles::{ChooseRefusal, ProfileAnswer, ProfileRequest};

/// What a terminal gets of the buyer's details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The buyer entered none that fits.
    None,
    Profile(Box<InvoiceProfile>),
    /// The buyer is choosing among several until then. Row S19.
    Asking {
        until: i64,
    },
    /// Not to be had now; ask again. The payment is not touched by that.
    Later,
}

/// An invoice terminal's second scan. Row S17. Source: S \[93\], figure 6.
#[derive(Debug, Clone)]
pub enum SecondScan {
    Unpaid,
    /// The code now reads as invoice issued.
    Profile {
        payment: Payment,
        profile: Delivered,
    },
    Issued {
        payment: Payment,
        invoice: Box<Invoice>,
    },
}

/// What an information request about a payment answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Information {
    Details(Delivered),
    /// The invoice is issued. The details stay to be had, for a terminal that lost the answer which carried them.
    Issued {
        invoice: Box<Invoice>,
        details: Delivered,
    },
}

/// Why an invoice cannot be taken for a payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceRefusal {
    #[error("the payment is {state}: only a paid one has an invoice")]
    NotPaid { state: &'static str },
    #[error(transparent)]
    Issued(#[from] ReportRefusal),
    #[error(transparent)]
    Apply(#[from] ApplyRefusal),
}

impl Processing {
    /// The code record whose profiles count for a payment: the one it was paid under; of a ride, which no code paid, the
    /// payer's own. Rows S18, R09.
    async fn paying_record(&self, payment: &Payment) -> Result<Option<CodeRecordId>> {
        if !payment.is_ride() {
            return Ok(Some(payment.record.clone()));
        }
        let codes = &self.parts.codes;
        let record = match payment.kind {
            CodeKind::User => codes.record_of_person(payment.person).await?,
            CodeKind::Institution => match InstitutionId::from_stored(payment.record.as_str()) {
                Ok(institution) => codes.record_of_institution(institution).await?,
                Err(_) => None,
            },
        };
        Ok(record.map(|record| record.id))
    }

    /// The profile for a payment's invoice: only one that fits its scenario. Rows S15, S16, S18, S19.
    pub async fn profile_of(&self, payment: &Payment) -> Result<Delivered> {
        let Some(paid_at) = payment.paid_at() else {
            return Ok(Delivered::None);
        };
        let Some(record) = self.paying_record(payment).await? else {
            return Ok(Delivered::None);
        };
        let request = ProfileRequest {
            payment: payment.id,
            record,
            scenario: payment.scenario,
            person: payment.person,
            choose_until: paid_at + self.settings.choose_ms,
        };
        Ok(match self.choosing.ask(request).await? {
            ProfileAnswer::None => Delivered::None,
            ProfileAnswer::Settled(profile) => Delivered::Profile(profile),
            ProfileAnswer::Asking(choice) => Delivered::Asking { until: choice.until },
        })
    }

    /// What a terminal that asks about a payment gets: the profile, and after issuance the issued invoice.
    /// Rows S13, S16. Source: S \[77\], \[90\].
    pub async fn information(&self, payment: &Payment) -> Result<Information> {
        match self.invoice_of(payment).await? {
            Some(invoice) => Ok(Information::Issued {
                invoice: Box::new(invoice),
                details: self.profile_of(payment).await?,
            }),
            None => self.profile_of(payment).await.map(Information::Details),
        }
    }

    /// An invoice terminal scans the code again.
    ///
    /// Outside its period, unknown, or another merchant's: refused as invalid. Unpaid: says so. Paid: the profile, and from
    /// then on the code reads as invoice issued (not while the buyer is still choosing). Issued: says so with the invoice.
    ///
    /// Row S17. Departs from S \[93\]: the period of the second scan is a window of its own that opens with the payment.
    pub async fn second_scan(
        &self,
        terminal: &TerminalFacts,
        text: &CodeText,
    ) -> Result<Result<SecondScan, ScanRefusal>> {
        let parts = &self.parts;
        let now = parts.env.now_ms();
        let guard = parts.merchants.guard(terminal.terminal).await?;
        if guard.locked(now) {
            return Ok(Err(ScanRefusal::TerminalLocked {
                until: guard.locked_until,
            }));
        }
        let Some(facts) = parts.codes.look_up(vec![text.clone()]).await?.pop().flatten() else {
            self.note_unknown(terminal).await?;
            return Ok(Err(CodeRefusal::Unknown.into()));
        };
        let Some(payment) = parts.payments.find_by_codes(vec![facts.code]).await?.pop().flatten() else {
            let verified = facts.verify(CodeStatus::Unpaid, now);
            return Ok(verified.map(|()| SecondScan::Unpaid).map_err(ScanRefusal::from));
        };
        let Some(paid_at) = payment.paid_at() else {
            return Ok(Err(CodeRefusal::Used { payment: payment.id }.into()));
        };
        if payment.merchant != terminal.merchant || now >= paid_at + self.settings.invoice_ms {
            return Ok(Err(CodeRefusal::Expired.into()));
        }
        self.hand_over(payment).await.map(Ok)
    }

    async fn hand_over(&self, payment: Payment) -> Result<SecondScan> {
        if let Some(invoice) = self.parts.invoices.find(vec![payment.id]).await?.pop().flatten() {
            let invoice = Box::new(invoice);
            return Ok(SecondScan::Issued { payment, invoice });
        }
        let profile = self.profile_of(&payment).await?;
        if let Delivered::Profile(chosen) = &profile {
            if self.invoicing_mode(payment.merchant).await? != InvoicingMode::Own {
                // The scan applies; what keeps it from being issued here is told by the application, not by the scan.
                if let Err(refusal) = self.apply_for_invoice(&payment, &[]).await? {
                    tracing::info!(payment.id = %payment.id, %refusal, "a second scan applied in vain");
                }
                return Ok(SecondScan::Profile { payment, profile });
            }
            let report = Reported {
                payment: payment.clone(),
                profile: Some((**chosen).clone()),
                number: None,
            };
            match self.parts.invoices.report(report).await? {
                Ok(Issued { made: Made::Now, .. }) => {}
                // Another terminal scanned at the same time and has the details.
                Ok(Issued {
                    invoice,
                    made: Made::Before,
                })
                | Err(ReportRefusal::Issued(invoice)) => return Ok(SecondScan::Issued { payment, invoice }),
            }
        }
        Ok(SecondScan::Profile { payment, profile })
    }

    /// An invoice terminal's word that the sale was paid elsewhere, for a code that reads as unpaid. The caller has checked
    /// that the terminal may say so. No money is booked; the code can no longer be paid with; the person sees it. Taken as
    /// long after the code was made as a paid code answers: cash may change hands after the pay window, not days later.
    /// Row S17, trap 2.
    pub async fn assert_paid(&self, request: AssertPaid) -> Result<Result<PayOutcome, PayError>> {
        let guard = self.parts.merchants.guard(request.terminal.terminal).await?;
        if guard.locked(self.parts.env.now_ms()) {
            return Ok(Err(PayError::TerminalLocked {
                until: guard.locked_until,
            }));
        }
        if self.is_too_old_to_assert(&request.text).await? {
            return Ok(Err(PayError::Code(CodeRefusal::Expired)));
        }
        let terminal = request.terminal.clone();
        let asserted = self.parts.payments.assert_paid(request).await?;
        if matches!(asserted, Err(PayError::Code(CodeRefusal::Unknown))) {
            self.note_unknown(&terminal).await?;
        }
        Ok(asserted)
    }

    /// A code that a payment names is not: a repeat gets its answer.
    async fn is_too_old_to_assert(&self, text: &CodeText) -> Result<bool> {
        let Some(facts) = self.parts.codes.look_up(vec![text.clone()]).await?.pop().flatten() else {
            return Ok(false);
        };
        let in_time = self.parts.env.now_ms() < facts.created_at + self.settings.invoice_ms;
        if in_time {
            return Ok(false);
        }
        let named = self.parts.payments.find_by_codes(vec![facts.code]).await?;
        Ok(named.into_iter().flatten().next().is_none())
    }

    /// The profile after a paid instruction, handed over as by a second scan: from then on the code reads as invoice issued.
    /// A repeat gets the profile again. Whatever goes wrong here, the mark stands. Row S17. Source: S \[93\].
    pub async fn hand_over_asserted(&self, payment: &Payment) -> Delivered {
        let handed_over = match self.hand_over(payment.clone()).await {
            Ok(SecondScan::Profile { profile, .. }) => Ok(profile),
            Ok(SecondScan::Issued { .. } | SecondScan::Unpaid) => self.profile_of(payment).await,
            Err(error) => Err(error),
        };
        handed_over.unwrap_or_else(|error| {
            tracing::warn!(payment.id = %payment.id, error = %error, "the profile follows later");
            Delivered::Later
        })
    }

    /// The merchant's system tells that it issued the invoice, with its number; or, where the merchant's invoices are issued
    /// here, applies for it. From now on an information request answers with it. Rows S13, S17, S20. Source: S \[77\], \[86\].
    pub async fn issue_invoice(
        &self,
        payment: &Payment,
        number: Option<String>,
        lines: &[InvoiceLine],
    ) -> Result<Result<Invoice, InvoiceRefusal>> {
        if payment.paid_at().is_none() {
            return Ok(Err(InvoiceRefusal::NotPaid {
                state: payment.state.name(),
            }));
        }
        let is_ours = self.invoicing_mode(payment.merchant).await? != InvoicingMode::Own;
        if number.is_none() && (is_ours || !lines.is_empty()) {
            return Ok(self
                .apply_for_invoice(payment, lines)
                .await?
                .map_err(InvoiceRefusal::from));
        }
        let profile = match self.profile_of(payment).await? {
            Delivered::Profile(profile) => Some(*profile),
            Delivered::None | Delivered::Asking { .. } | Delivered::Later => None,
        };
        let issued = self
            .parts
            .invoices
            .report(Reported {
                payment: payment.clone(),
                profile,
                number,
            })
            .await?;
        Ok(issued.map(|issued| *issued.invoice).map_err(InvoiceRefusal::from))
    }

    /// The invoice of a payment, once there is one.
    pub async fn invoice_of(&self, payment: &Payment) -> Result<Option<Invoice>> {
        Ok(self.parts.invoices.find(vec![payment.id]).await?.pop().flatten())
    }

    /// The questions a person can still answer. Row S19.
    pub async fn open_choices(&self, person: PersonId) -> Result<Vec<ProfileChoice>> {
        let buckets = self.buckets_of(person).await?;
        self.parts.profiles.open_choices(person, buckets).await
    }

    /// Takes the person's answer. Row S19. Source: S \[95\].
    pub async fn choose(
        &self,
        person: PersonId,
        choice: ChoiceId,
        profile: ProfileId,
    ) -> Result<Result<ProfileChoice, ChooseRefusal>> {
        self.parts.profiles.choose(person, choice, profile).await
    }
}
