//! Everything a face needs, in one handle.

use std::sync::Arc;

use onescan_domain::merchants::GuardLimits;

use crate::access::{AccessControl, AccessStore, Passwords};
use crate::codes::{CodeSettings, CodeStore, Codes, LocalCodes};
use crate::env::Env;
use crate::institutions::{InstitutionStore, Institutions};
use crate::invoicing::{InvoiceStore, Invoicing, LocalInvoicing};
use crate::merchants::{MerchantStore, Merchants};
use crate::payments::{LocalPayments, PaymentSettings, PaymentStore, Payments};
use crate::people::{People, PeopleStore};
use crate::processing::{Parts, Processing, ProcessingSettings};
use crate::profiles::{LocalProfiles, ProfileStore, Profiles};

/// The store ports of every in-process platform.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct Ports {
    pub codes: Arc<dyn CodeStore>,
    pub profiles: Arc<dyn ProfileStore>,
    pub payments: Arc<dyn PaymentStore>,
    pub invoicing: Arc<dyn InvoiceStore>,
    pub people: Arc<dyn PeopleStore>,
    pub institutions: Arc<dyn InstitutionStore>,
    pub merchants: Arc<dyn MerchantStore>,
    pub access: Arc<dyn AccessStore>,
}

impl Ports {
    /// One store behind all of them.
    pub fn of<S>(store: Arc<S>) -> Self
    where
        S: CodeStore
            + ProfileStore
            + PaymentStore
            + InvoiceStore
            + PeopleStore
            + InstitutionStore
            + MerchantStore
            + AccessStore
            + 'static,
    {
        Self {
            codes: store.clone(),
            profiles: store.clone(),
            payments: store.clone(),
            invoicing: store.clone(),
            people: store.clone(),
            institutions: store.clone(),
            merchants: store.clone(),
            access: store,
        }
    }
}

/// What the operator may set, per platform.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    pub codes: CodeSettings,
    pub payments: PaymentSettings,
    pub processing: ProcessingSettings,
    /// Argon2id's memory in KiB and passes.
    pub password_cost: (u32, u32),
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            codes: CodeSettings::default(),
            payments: PaymentSettings::default(),
            processing: ProcessingSettings::default(),
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
    pub people: People,
    pub institutions: Institutions,
    pub merchants: Merchants,
    pub access: AccessControl,
    pub processing: Processing,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    /// All platforms inside this process. Must be called on a runtime: queues start on it.
    pub fn local(env: Env, ports: Ports, settings: ServiceSettings) -> Self {
        let guard: GuardLimits = settings.payments.guard;
        let (memory_kib, passes) = settings.password_cost;
        let passwords = Passwords::new(env.clone(), memory_kib, passes);
        let codes: Arc<dyn Codes> = Arc::new(LocalCodes::new(env.clone(), ports.codes, settings.codes));
        let profiles: Arc<dyn Profiles> = Arc::new(LocalProfiles::new(env.clone(), ports.profiles));
        let payments: Arc<dyn Payments> = Arc::new(LocalPayments::new(
            env.clone(),
            ports.payments,
            codes.clone(),
            settings.payments,
        ));
        let invoicing: Arc<dyn Invoicing> = Arc::new(LocalInvoicing::new(env.clone(), ports.invoicing));
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
            people: people.clone(),
            institutions: institutions.clone(),
            merchants: merchants.clone(),
        };
        let processing = Processing::new(parts, settings.processing);
        Self {
            env,
            codes,
            profiles,
            payments,
            invoicing,
            people,
            institutions,
            merchants,
            access,
            processing,
        }
    }
}
