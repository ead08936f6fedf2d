//! The processing platform: joins codes, profiles, payments and invoicing for the person and the merchant.
//!
//! | module | the apparatus's module (S \[139\], claims 16-18) |
//! |---|---|
//! | [`request`] | request generation: an access becomes a code creation request |
//! | [`render`] | code rendering |
//! | [`payment`] | payment processing: scan, verify, pay |
//! | [`delivery`] | information delivery: profiles and invoices to terminals and people |
//!
//! **Invariant:** contracts only; whether a platform is in this process or elsewhere is not known here. Row S23.

pub mod delivery;
pub mod issuing;
pub mod payment;
pub mod render;
pub mod request;

use std::sync::Arc;

use onescan_domain::payments::PayError;
use onescan_domain::payments::batch::PayOutcome;

use self::delivery::documents::Mailer;
use crate::batch::{Queue, QueueLimits};
use crate::codes::Codes;
use crate::env::Env;
use crate::institutions::Institutions;
use crate::invoicing::{InvoiceBook, Invoicing};
use crate::merchants::Merchants;
use crate::merchants::tax::TaxSetups;
use crate::payments::{PayRequest, Payments};
use crate::people::People;
use crate::profiles::{ProfileAnswer, ProfileRequest, Profiles};

#[derive(Debug, Clone)]
pub struct ProcessingSettings {
    /// How long a person may choose among several profiles. Row S19.
    pub choose_ms: i64,
    /// How long after the payment a code answers an invoice terminal. Row S17, trap 4.
    pub invoice_ms: i64,
    pub pay_queue: QueueLimits,
    /// What a person's first scenario allows, as policy text in minor units.
    pub first_policy: String,
    /// IANA name: the days on documents are those of this zone.
    pub time_zone: String,
}

impl Default for ProcessingSettings {
    fn default() -> Self {
        Self {
            choose_ms: 60_000,
            invoice_ms: 24 * 3_600_000,
            pay_queue: QueueLimits {
                waiting_max: 2_048,
                batch_max: 256,
                lanes: 8,
            },
            first_policy: "amount <= 100000\namount_day <= 500000\n".to_owned(),
            time_zone: "UTC".to_owned(),
        }
    }
}

/// The contracts, the book of invoices, and who everybody is.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct Parts {
    pub env: Env,
    pub codes: Arc<dyn Codes>,
    pub profiles: Arc<dyn Profiles>,
    pub payments: Arc<dyn Payments>,
    pub invoicing: Arc<dyn Invoicing>,
    pub invoices: InvoiceBook,
    pub taxes: TaxSetups,
    pub mailer: Arc<dyn Mailer>,
    pub people: People,
    pub institutions: Institutions,
    pub merchants: Merchants,
}

/// The use cases of the processing platform; cheap to clone.
#[derive(Clone)]
pub struct Processing {
    parts: Parts,
    settings: ProcessingSettings,
    paying: Queue<PayRequest, Result<PayOutcome, PayError>>,
    choosing: Queue<ProfileRequest, ProfileAnswer>,
}

impl std::fmt::Debug for Processing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processing")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Processing {
    /// Starts its queues on the current runtime.
    pub fn new(parts: Parts, settings: ProcessingSettings) -> Self {
        let payments = parts.payments.clone();
        let paying = Queue::start(settings.pay_queue, move |batch| {
            let payments = payments.clone();
            async move { payments.pay(batch).await }
        });
        let profiles = parts.profiles.clone();
        let choosing = Queue::start(settings.pay_queue, move |batch| {
            let profiles = profiles.clone();
            async move { profiles.choose_for(batch).await }
        });
        Self {
            parts,
            settings,
            paying,
            choosing,
        }
    }

    /// Whether somebody waits for a payment now; work that can wait makes room.
    pub fn busy(&self) -> bool {
        self.paying.open() > 0
    }

    /// Payments waiting now, for observation.
    pub fn waiting(&self) -> usize {
        self.paying.depth()
    }
}
