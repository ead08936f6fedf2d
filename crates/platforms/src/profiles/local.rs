//! The management platform inside this process.

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{ChoiceId, PersonId, ProfileId};
use onescan_domain::profiles::{InvoiceProfile, ProfileChoice, fitting};

use super::{ChooseRefusal, NewProfile, ProfileAnswer, ProfileRequest, ProfileStore, Profiles};
use crate::env::Env;
use crate::error::Result;

pub struct LocalProfiles {
    env: Env,
    store: Arc<dyn ProfileStore>,
}

impl std::fmt::Debug for LocalProfiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalProfiles").finish_non_exhaustive()
    }
}

impl LocalProfiles {
    pub fn new(env: Env, store: Arc<dyn ProfileStore>) -> Self {
        Self { env, store }
    }

    fn row(&self, id: ProfileId, record: &CodeRecordId, new: NewProfile) -> InvoiceProfile {
        let NewProfile {
            fields,
            scenarios,
            preferred,
        } = new;
        InvoiceProfile {
            id,
            record: record.clone(),
            fields,
            scenarios,
            preferred,
            created_at: self.env.now_ms(),
        }
    }

    /// Answers one payment from what was loaded; asks the person where several profiles fit and nobody asked yet.
    async fn answer(
        &self,
        request: &ProfileRequest,
        profiles: Vec<InvoiceProfile>,
        asked: Option<ProfileChoice>,
    ) -> Result<ProfileAnswer> {
        let choice = match asked {
            Some(choice) => choice,
            None => {
                let candidates = fitting(&profiles, request.scenario);
                match candidates[..] {
                    [] => return Ok(ProfileAnswer::None),
                    [only] => return Ok(ProfileAnswer::Settled(Box::new(only.clone()))),
                    [..] => {
                        self.ask(request, candidates.iter().map(|profile| profile.id).collect())
                            .await?
                    }
                }
            }
        };
        let Some(settled) = choice.settled(self.env.now_ms()) else {
            return Ok(ProfileAnswer::Asking(choice));
        };
        let known = profiles.into_iter().find(|profile| profile.id == settled);
        let profile = match known {
            Some(profile) => Some(profile),
            // Removed after it was asked about.
            None => self.store.find(settled).await?,
        };
        Ok(profile.map_or(ProfileAnswer::None, |profile| ProfileAnswer::Settled(Box::new(profile))))
    }

    async fn ask(&self, request: &ProfileRequest, candidates: Vec<ProfileId>) -> Result<ProfileChoice> {
        let choice = ProfileChoice {
            id: ChoiceId::new(self.env.id(request.payment.bucket())),
            payment: request.payment,
            record: request.record.clone(),
            person: request.person,
            candidates,
            until: request.choose_until,
            chosen: None,
        };
        self.store.insert_choice(&choice).await?;
        let (_, kept) = self.store.load(std::slice::from_ref(request)).await?.remove(0);
        Ok(kept.unwrap_or(choice))
    }
}

#[async_trait]
impl Profiles for LocalProfiles {
    async fn create(&self, bucket: Bucket, record: &CodeRecordId, new: NewProfile) -> Result<InvoiceProfile> {
        let profile = self.row(ProfileId::new(self.env.id(bucket)), record, new);
        self.store.insert(bucket, &profile).await?;
        Ok(profile)
    }

    async fn update(
        &self,
        bucket: Bucket,
        record: &CodeRecordId,
        id: ProfileId,
        new: NewProfile,
    ) -> Result<Option<InvoiceProfile>> {
        let profile = self.row(id, record, new);
        Ok(self.store.update(bucket, &profile).await?.then_some(profile))
    }

    async fn remove(&self, bucket: Bucket, record: &CodeRecordId, id: ProfileId) -> Result<bool> {
        self.store.remove(bucket, record, id, self.env.now_ms()).await
    }

    async fn list(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceProfile>> {
        self.store.list(bucket, record).await
    }

    async fn find(&self, id: ProfileId) -> Result<Option<InvoiceProfile>> {
        self.store.find(id).await
    }

    async fn choose_for(&self, requests: Vec<ProfileRequest>) -> Result<Vec<ProfileAnswer>> {
        let loaded = self.store.load(&requests).await?;
        let mut answers = Vec::with_capacity(requests.len());
        for (request, (profiles, asked)) in requests.iter().zip(loaded) {
            answers.push(self.answer(request, profiles, asked).await?);
        }
        Ok(answers)
    }

    async fn open_choices(&self, person: PersonId, buckets: Vec<Bucket>) -> Result<Vec<ProfileChoice>> {
        let now = self.env.now_ms();
        let mut open = Vec::new();
        for bucket in buckets {
            open.extend(self.store.list_open_choices(person, bucket, now).await?);
        }
        open.sort_by_key(|choice| std::cmp::Reverse(choice.until));
        Ok(open)
    }

    async fn choose(
        &self,
        person: PersonId,
        choice: ChoiceId,
        profile: ProfileId,
    ) -> Result<Result<ProfileChoice, ChooseRefusal>> {
        let found = self
            .store
            .find_choice(choice)
            .await?
            .filter(|found| found.person == person);
        let Some(found) = found else {
            return Ok(Err(ChooseRefusal::Unknown));
        };
        if !found.candidates.contains(&profile) {
            return Ok(Err(ChooseRefusal::NotACandidate));
        }
        if found
            .settled(self.env.now_ms())
            .is_some_and(|settled| settled != profile)
        {
            return Ok(Err(ChooseRefusal::Settled));
        }
        let settled = self
            .store
            .settle_choice(choice, profile)
            .await?
            .filter(|kept| kept.chosen == Some(profile));
        Ok(settled.ok_or(ChooseRefusal::Settled))
    }
}
