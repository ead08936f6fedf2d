//! Everything a face needs, in one handle.

use std::sync::Arc;

use onescan_domain::merchants::GuardLimits;

use crate::access::{AccessControl, AccessStore, Passwords};
use crate::codes::{CodeSettings, CodeStore, Codes, LocalCodes};
use crate::env::Env;
use crate::institutions::{InstitutionStore, Institutions};
use crate::invoicing::{DocumentStore, InvoiceBook, InvoiceStore, Invoicing, IssuerStore, LocalInvoicing};
use crate::journeys::{Feeds, JourneyParts, JourneyStore, Journeys};
use crate::merchants::tax::{TaxSetups, TaxStore};
use crate::merchants::{MerchantStore, Merchants};
use crate::payments::{LocalPayments, PaymentSettings, PaymentStore, Payments};
use crate::people::{People, PeopleStore};
use crate::processing::delivery::documents::Mailer;
use crate::processing::{Parts, Processing, ProcessingSettings};
use crate::profiles::{LocalProfiles, ProfileStore, Profiles};
use crate::ride_codes::{Denials, PersonalGrants, RideCodeSettings, RideCodeStore, RideCodes};
use crate::rides::bills::{BillParts, BillStore, Bills};
use crate::rides::decider::AskDecider;
use crate::rides::{FormGrants, RideParts, RideSettings, RideStore, Rides};

/// The store ports of every in-process platform.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct Ports {
    pub codes: Arc<dyn CodeStore>,
    pub profiles: Arc<dyn ProfileStore>,
    pub payments: Arc<dyn PaymentStore>,
    pub invoicing: Arc<dyn InvoiceStore>,
    pub issuer: Arc<dyn IssuerStore>,
    pub taxes: Arc<dyn TaxStore>,
    pub documents: Arc<dyn DocumentStore>,
    pub mailer: Arc<dyn Mailer>,
    pub people: Arc<dyn PeopleStore>,
    pub institutions: Arc<dyn InstitutionStore>,
    pub merchants: Arc<dyn MerchantStore>,
    pub access: Arc<dyn AccessStore>,
    pub ride_codes: Arc<dyn RideCodeStore>,
    pub rides: Arc<dyn RideStore>,
    pub journeys: Arc<dyn JourneyStore>,
    pub deciders: Arc<dyn AskDecider>,
    pub bills: Arc<dyn BillStore>,
}

impl Ports {
    /// One store behind all of them, but documents, e-mail, and the way to institutions' own systems.
    pub fn of<S>(
        store: Arc<S>,
        documents: Arc<dyn DocumentStore>,
        mailer: Arc<dyn Mailer>,
        deciders: Arc<dyn AskDecider>,
    ) -> Self
    where
        S: CodeStore
            + ProfileStore
            + PaymentStore
            + InvoiceStore
            + IssuerStore
            + TaxStore
            + PeopleStore
            + InstitutionStore
            + MerchantStore
            + AccessStore
            + RideCodeStore
            + RideStore
            + JourneyStore
            + BillStore
            + 'static,
    {
        Self {
            codes: store.clone(),
            profiles: store.clone(),
            payments: store.clone(),
            invoicing: store.clone(),
            issuer: store.clone(),
            taxes: store.clone(),
            documents,
            mailer,
            people: store.clone(),
            institutions: store.clone(),
            merchants: store.clone(),
            access: store.clone(),
            ride_codes: store.clone(),
            rides: store.clone(),
            journeys: store.clone(),
            deciders,
            bills: store,
        }
    }
}

/// Contracts that somebody else answers; `None`: this process does. Row S21.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct Elsewhere {
    pub codes: Option<Arc<dyn Codes>>,
    pub profiles: Option<Arc<dyn Profiles>>,
    pub payments: Option<Arc<dyn Payments>>,
    pub invoicing: Option<Arc<dyn Invoicing>>,
}

/// What the operator may set, per platform.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    pub codes: CodeSettings,
    pub payments: PaymentSettings,
    pub processing: ProcessingSettings,
    pub ride_codes: RideCodeSettings,
    pub rides: RideSettings,
    /// Argon2id's memory in KiB and passes.
    pub password_cost: (u32, u32),
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            codes: CodeSettings::default(),
            payments: PaymentSettings::default(),
            processing: ProcessingSettings::default(),
            ride_codes: RideCodeSettings::default(),
            rides: RideSettings::default(),
            password_cost: (19_456, 2),
        }
    }
}

/// The use cases of all platforms; cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub env: Env,
    pub codes: Arc<dyn Codes>,
    pub profiles: Arc<dyn Profiles>,
    pub payments: Arc<dyn Payments>,
    pub invoicing: Arc<dyn Invoicing>,
    pub invoices: InvoiceBook,
    pub taxes: TaxSetups,
    pub people: People,
    pub institutions: Institutions,
    pub merchants: Merchants,
    pub access: AccessControl,
    pub rides: Rides,
    pub journeys: Journeys,
    pub bills: Bills,
    pub processing: Processing,
    pub ride_codes: RideCodes,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    /// Every platform that is not elsewhere inside this process. Must be called on a runtime: queues start on it.
    pub fn build(env: Env, ports: Ports, settings: ServiceSettings, elsewhere: Elsewhere) -> Self {
        let guard: GuardLimits = settings.payments.guard;
        let (memory_kib, passes) = settings.password_cost;
        let passwords = Passwords::new(env.clone(), memory_kib, passes);
        let codes = elsewhere
            .codes
            .unwrap_or_else(|| Arc::new(LocalCodes::new(env.clone(), ports.codes, settings.codes)));
        let profiles = elsewhere
            .profiles
            .unwrap_or_else(|| Arc::new(LocalProfiles::new(env.clone(), ports.profiles)));
        let payments = elsewhere.payments.unwrap_or_else(|| {
            let (env, codes) = (env.clone(), codes.clone());
            Arc::new(LocalPayments::new(env, ports.payments, codes, settings.payments))
        });
        let invoicing = elsewhere
            .invoicing
            .unwrap_or_else(|| Arc::new(LocalInvoicing::new(env.clone(), ports.issuer, ports.documents)));
        let invoices = InvoiceBook::new(env.clone(), ports.invoicing);
        let taxes = TaxSetups::new(env.clone(), ports.taxes);
        let people = People::new(env.clone(), ports.people.clone(), passwords.clone());
        let institutions = Institutions::new(env.clone(), ports.institutions, payments.clone());
        let access = AccessControl::new(
            env.clone(),
            ports.access,
            ports.people,
            ports.merchants.clone(),
            passwords,
        );
        let merchants = Merchants::new(env.clone(), ports.merchants, access.clone(), guard);
        let parts = Parts {
            env: env.clone(),
            codes: codes.clone(),
            profiles: profiles.clone(),
            payments: payments.clone(),
            invoicing: invoicing.clone(),
            invoices: invoices.clone(),
            taxes: taxes.clone(),
            mailer: ports.mailer.clone(),
            people: people.clone(),
            institutions: institutions.clone(),
            merchants: merchants.clone(),
        };
        let feeds = Feeds::new(env.clone(), ports.journeys.clone());
        let riding = RideParts {
            payments: payments.clone(),
            people: people.clone(),
            institutions: institutions.clone(),
            merchants: merchants.clone(),
            denials: Denials::new(env.clone(), ports.ride_codes.clone()),
            deciders: ports.deciders,
            feeds: feeds.clone(),
        };
        let billing = BillParts {
            codes: codes.clone(),
            profiles: profiles.clone(),
            invoicing: invoicing.clone(),
            taxes: taxes.clone(),
            institutions: institutions.clone(),
            merchants: merchants.clone(),
            mailer: ports.mailer,
        };
        let bills = Bills::new(env.clone(), ports.bills, billing);
        let rides = Rides::new(env.clone(), ports.rides, riding, settings.rides);
        let joining = JourneyParts {
            rides: rides.clone(),
            merchants: merchants.clone(),
            feeds,
        };
        let journeys = Journeys::new(env.clone(), ports.journeys, joining);
        let processing = Processing::new(parts, settings.processing);
        let grants = Arc::new(FormGrants {
            rides: rides.clone(),
            personal: PersonalGrants {
                cap: settings.ride_codes.personal_cap,
            },
        });
        let ride_codes = RideCodes::new(
            env.clone(),
            ports.ride_codes,
            people.clone(),
            grants,
            settings.ride_codes,
        );
        Self {
            env,
            codes,
            profiles,
            payments,
            invoicing,
            invoices,
            taxes,
            people,
            institutions,
            merchants,
            access,
            rides,
            journeys,
            bills,
            processing,
            ride_codes,
        }
    }
}
