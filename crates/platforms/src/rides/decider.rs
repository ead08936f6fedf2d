//! Institutions that decide about rides themselves, behind a web hook. Row R05. Source: R claims 5, 8.
//!
//! At a consultation and at the payment of an order the institution's own system is asked once, with a time budget. Its answer
//! holds beside policy and funding and never permits more than they do. Where none comes that counts, the institution's default
//! holds. Answers are kept: an order or consultation that is asked about again has the same one.
//!
//! Nobody waits for it inside a transaction or in the queue of payments: the answer is there before the ride enters that.

use async_trait::async_trait;
use onescan_domain::ids::{ApplicationId, ConsultationId, InstitutionId, MemberId, MerchantId, PersonId};
use onescan_domain::money::Money;
use onescan_domain::rides::application::TravelApplication;
use onescan_domain::rides::decision::{NoAnswer, Otherwise, RideDecision};
use onescan_domain::rides::order::{RideDetails, RideOrder, RidePoint};

use super::orders::ConsultRequest;
use super::{Rides, Versioned};
use crate::env::Env;
use crate::error::Result;

/// Where an institution's own system listens, and what holds where it does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    pub institution: InstitutionId,
    pub url: String,
    pub otherwise: Otherwise,
    /// 1, 2, 3, …: each new secret has the next.
    pub secret_number: i64,
    /// Since when the secret counts.
    pub secret_at: i64,
    pub changed_at: i64,
}

/// What an answer was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    Consultation,
    Payment,
    /// By an administrator; nothing follows from it.
    Test,
}

impl QuestionKind {
    pub const ALL: [Self; 3] = [Self::Consultation, Self::Payment, Self::Test];

    pub fn name(self) -> &'static str {
        match self {
            Self::Consultation => "consultation",
            Self::Payment => "payment",
            Self::Test => "test",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One question, signed with each of `secrets`.
#[derive(Debug, Clone)]
pub struct Question {
    pub url: String,
    pub secrets: Vec<[u8; 32]>,
    /// Of the order or consultation; the same for a repeat.
    pub subject: String,
    pub kind: QuestionKind,
    pub at: i64,
    pub ride: AskedRide,
}

/// What the institution's system is told of a ride.
#[derive(Debug, Clone)]
pub struct AskedRide {
    pub institution: InstitutionId,
    /// `None`: of a test.
    pub person: Option<PersonId>,
    pub member: Option<MemberId>,
    pub employee_number: Option<String>,
    pub application: Option<ApplicationId>,
    pub travel_type: String,
    pub provider: Option<MerchantId>,
    pub provider_name: String,
    /// The provider's number; `None` at a consultation.
    pub number: Option<String>,
    /// `None` at a consultation.
    pub amount: Option<Money>,
    pub details: RideDetails,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub decision: RideDecision,
    pub took_ms: i64,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Whose system was asked.
    pub institution: InstitutionId,
    pub subject: String,
    pub kind: QuestionKind,
    pub decision: RideDecision,
    /// What held where nothing was answered.
    pub otherwise: Otherwise,
    pub took_ms: i64,
    pub at: i64,
}

impl Decided {
    /// What counts beside the policy; `None`: the policy alone.
    pub fn counts(&self) -> Option<RideDecision> {
        match (&self.decision, self.otherwise) {
            (RideDecision::NoAnswer { .. }, Otherwise::OwnPolicy) => None,
            (decision, _) => Some(decision.clone()),
        }
    }

    fn refuses(&self) -> bool {
        self.counts().is_some_and(|decision| decision != RideDecision::Approve)
    }
}

/// Why an address cannot be a decider's, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    #[error("an address such as https://example.com/rides, of at most 500 characters")]
    Shape,
    #[error("name and password do not belong into the address")]
    Credentials,
    #[error("https; http only to this machine, where the operator allows it")]
    Plain,
    #[error("an address inside this network can be called only where the operator allows it")]
    Private,
}

/// The way to institutions' systems.
#[async_trait]
pub trait AskDecider: Send + Sync {
    /// Whether the address may be one; resolves no name.
    fn check(&self, url: &str) -> std::result::Result<(), AddressFault>;
    /// Asks once. What does not come within the time budget is [`NoAnswer::TooLate`].
    async fn ask(&self, question: Question) -> Answered;
}

/// Nobody is asked: for servers without a face, and tests of other things.
#[derive(Debug, Clone, Copy)]
pub struct AskNobody;

#[async_trait]
impl AskDecider for AskNobody {
    fn check(&self, _: &str) -> std::result::Result<(), AddressFault> {
        Err(AddressFault::Private)
    }

    async fn ask(&self, _: Question) -> Answered {
        let why = NoAnswer::Forbidden;
        let decision = RideDecision::NoAnswer { why };
        Answered { decision, took_ms: 0 }
    }
}

/// The last secret still signs for so long, so that the other side can change over.
const SECRETS_OVERLAP_MS: i64 = 24 * 3_600_000;

impl Decider {
    fn secret(&self, env: &Env, number: i64) -> [u8; 32] {
        env.secret
            .derive(&format!("ride-decider/{}/{number}", self.institution))
    }
}

impl Rides {
    /// The institution's own, without those above it.
    pub async fn decider(&self, institution: InstitutionId) -> Result<Option<Decider>> {
        self.store.find_decider(institution).await
    }

    /// The secret that signs questions. Follows from the server's own, so it is kept nowhere.
    pub fn decider_secret(&self, decider: &Decider) -> [u8; 32] {
        decider.secret(&self.env, decider.secret_number)
    }

    /// Sets or changes who decides. The secret stays when there was one.
    pub async fn put_decider(
        &self,
        institution: InstitutionId,
        url: &str,
        otherwise: Otherwise,
    ) -> Result<Result<Decider, AddressFault>> {
        let url = url.trim();
        if let Err(fault) = self.deciders.check(url) {
            return Ok(Err(fault));
        }
        let now = self.env.now_ms();
        let known = self.store.find_decider(institution).await?;
        let decider = Decider {
            institution,
            url: url.to_owned(),
            otherwise,
            secret_number: known.as_ref().map_or(1, |known| known.secret_number),
            secret_at: known.as_ref().map_or(now, |known| known.secret_at),
            changed_at: now,
        };
        self.store.put_decider(&decider).await?;
        Ok(Ok(decider))
    }

    /// The policy decides alone again. `false`: it did before.
    pub async fn remove_decider(&self, institution: InstitutionId) -> Result<bool> {
        self.store.delete_decider(institution).await
    }

    /// Takes a new secret; for a day questions are signed with the last one too. `None`: nobody is asked.
    pub async fn renew_decider_secret(&self, institution: InstitutionId) -> Result<Option<Decider>> {
        let Some(mut decider) = self.store.find_decider(institution).await? else {
            return Ok(None);
        };
        decider.secret_number += 1;
        decider.secret_at = self.env.now_ms();
        decider.changed_at = decider.secret_at;
        self.store.put_decider(&decider).await?;
        Ok(Some(decider))
    }

    /// Asks about a ride that is none, and keeps the answer for administrators to see. `None`: nobody is asked.
    pub async fn try_decider(&self, institution: InstitutionId) -> Result<Option<Decided>> {
        let Some(decider) = self.store.find_decider(institution).await? else {
            return Ok(None);
        };
        let point = |place: &str| RidePoint {
            at: self.env.now_ms(),
            place: place.to_owned(),
            ..RidePoint::default()
        };
        let ride = AskedRide {
            institution,
            person: None,
            member: None,
            employee_number: None,
            application: None,
            travel_type: "test".to_owned(),
            provider: None,
            provider_name: String::new(),
            number: None,
            amount: None,
            details: RideDetails {
                start: point("A"),
                end: point("B"),
                ..RideDetails::default()
            },
        };
        let subject = ConsultationId::new(self.env.id(institution.bucket())).to_string();
        self.ask(&decider, subject, QuestionKind::Test, ride).await.map(Some)
    }

    /// The last answers, the newest first.
    pub async fn decisions(&self, institution: InstitutionId, limit: u32) -> Result<Vec<Decided>> {
        self.store.list_decisions(institution, limit).await
    }

    /// The institution's own system, or that of the nearest one above it that has one.
    async fn decider_of(&self, institution: InstitutionId) -> Result<Option<Decider>> {
        for level in self.institutions.lineage(institution).await? {
            if let Some(decider) = self.store.find_decider(level.id).await? {
                return Ok(Some(decider));
            }
        }
        Ok(None)
    }

    /// What the form's institution says before a ride; `None`: nothing that counts.
    pub(super) async fn decided_before(
        &self,
        form: &Versioned<TravelApplication>,
        request: &ConsultRequest,
        provider: MerchantId,
        id: ConsultationId,
    ) -> Result<Option<RideDecision>> {
        let form = &form.value;
        let Some(decider) = self.decider_of(form.institution).await? else {
            return Ok(None);
        };
        let start = RidePoint {
            at: request.start_at,
            city: request.city.clone(),
            ..RidePoint::default()
        };
        let ride = AskedRide {
            institution: form.institution,
            person: Some(request.person),
            member: Some(form.member),
            employee_number: self.employee_number(form.member).await?,
            application: Some(form.id),
            travel_type: request.travel_type.clone(),
            provider: Some(provider),
            provider_name: self.name_of(provider).await?,
            number: None,
            amount: None,
            details: RideDetails {
                end: start.clone(),
                start,
                ..RideDetails::default()
            },
        };
        let decided = self
            .kept_or_asked(&decider, id.to_string(), QuestionKind::Consultation, ride)
            .await?;
        Ok(decided.counts())
    }

    /// What the institution says about an order: as it did before, as it did refusing at the order's consultation, or now.
    pub(super) async fn decided_on(&self, order: &RideOrder, member: MemberId) -> Result<Option<RideDecision>> {
        let Some((institution, _)) = order.payer else {
            return Ok(None);
        };
        let Some(decider) = self.decider_of(institution).await? else {
            return Ok(None);
        };
        if let Some(consultation) = order.consultation {
            let before = self
                .store
                .find_decision(decider.institution, &consultation.to_string())
                .await?;
            if let Some(before) = before.filter(Decided::refuses) {
                return Ok(before.counts());
            }
        }
        let ride = AskedRide {
            institution,
            person: Some(order.person),
            member: Some(member),
            employee_number: self.employee_number(member).await?,
            application: match order.consulted {
                onescan_domain::rides::order::Consulted::Institution { application } => Some(application),
                onescan_domain::rides::order::Consulted::Personal { .. } => None,
            },
            travel_type: order.travel_type.clone(),
            provider: Some(order.provider),
            provider_name: self.name_of(order.provider).await?,
            number: Some(order.number.clone()),
            amount: Some(order.amount),
            details: order.details.clone(),
        };
        let decided = self
            .kept_or_asked(&decider, order.id.to_string(), QuestionKind::Payment, ride)
            .await?;
        Ok(decided.counts())
    }

    async fn employee_number(&self, member: MemberId) -> Result<Option<String>> {
        let member = self.institutions.member(member).await?;
        Ok(member.and_then(|member| member.employee_number))
    }

    async fn name_of(&self, provider: MerchantId) -> Result<String> {
        let provider = self.merchants.find(provider).await?;
        Ok(provider.map(|provider| provider.name).unwrap_or_default())
    }

    /// The kept answer, or one that is kept from now on.
    async fn kept_or_asked(
        &self,
        decider: &Decider,
        subject: String,
        kind: QuestionKind,
        ride: AskedRide,
    ) -> Result<Decided> {
        match self.store.find_decision(decider.institution, &subject).await? {
            Some(known) => Ok(known),
            None => self.ask(decider, subject, kind, ride).await,
        }
    }

    async fn ask(&self, decider: &Decider, subject: String, kind: QuestionKind, ride: AskedRide) -> Result<Decided> {
        let at = self.env.now_ms();
        let mut secrets = vec![self.decider_secret(decider)];
        if decider.secret_number > 1 && at < decider.secret_at + SECRETS_OVERLAP_MS {
            secrets.push(decider.secret(&self.env, decider.secret_number - 1));
        }
        let question = Question {
            url: decider.url.clone(),
            secrets,
            subject: subject.clone(),
            kind,
            at,
            ride,
        };
        let Answered { decision, took_ms } = self.deciders.ask(question).await;
        let decided = Decided {
            institution: decider.institution,
            subject,
            kind,
            decision,
            otherwise: decider.otherwise,
            took_ms,
            at,
        };
        // Of two servers that asked at once the first one's answer stands.
        self.store.insert_decision(&decided).await
    }
}
