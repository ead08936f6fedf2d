//! The rides platform's tables: the port [`RideStore`].

pub(crate) mod applications;
pub(crate) mod bill_mails;
pub(crate) mod bill_schedules;
pub(crate) mod bills;
pub(crate) mod deciders;
pub(crate) mod orders;
pub(crate) mod policies;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::ids::{
    ApplicationId, ConsultationId, InstitutionId, MerchantId, PersonId, RideOrderId, TravelTypeId,
};
use onescan_domain::rides::application::{TravelApplication, TravelType};
use onescan_domain::rides::order::RideOrder;
use onescan_platforms::error::Result;
use onescan_platforms::payments::Page;
use onescan_platforms::rides::decider::{Decided, Decider};
use onescan_platforms::rides::{
    Consultation, FundingStep, HistoryLine, PolicyVersion, RideConflict, RideConsent, RideStore, Versioned, Waiting,
    Written,
};

use crate::Store;

#[async_trait]
impl RideStore for Store {
    async fn insert_type(&self, kind: &TravelType) -> Result<()> {
        self.insert_type_row(kind).await
    }

    async fn update_type(&self, kind: &TravelType) -> Result<()> {
        self.update_type_row(kind).await
    }

    async fn find_type(&self, id: TravelTypeId) -> Result<Option<TravelType>> {
        self.find_type_row(id).await
    }

    async fn list_types(&self, institution: InstitutionId) -> Result<Vec<TravelType>> {
        self.list_type_rows(institution).await
    }

    async fn insert_policy(&self, policy: &PolicyVersion) -> Result<()> {
        self.insert_policy_row(policy).await
    }

    async fn list_policies(&self, travel_type: TravelTypeId) -> Result<Vec<PolicyVersion>> {
        self.list_policy_rows(travel_type).await
    }

    async fn put_funding(&self, institution: InstitutionId, steps: &[FundingStep], at: i64) -> Result<()> {
        self.put_funding_row(institution, steps, at).await
    }

    async fn put_calendar(&self, institution: InstitutionId, calendar: &WorkCalendar, at: i64) -> Result<()> {
        self.put_calendar_row(institution, calendar, at).await
    }

    async fn find_calendar(&self, institution: InstitutionId) -> Result<Option<WorkCalendar>> {
        self.find_calendar_row(institution).await
    }

    async fn put_decider(&self, decider: &Decider) -> Result<()> {
        self.put_decider_row(decider).await
    }

    async fn find_decider(&self, institution: InstitutionId) -> Result<Option<Decider>> {
        self.find_decider_row(institution).await
    }

    async fn delete_decider(&self, institution: InstitutionId) -> Result<bool> {
        self.delete_decider_row(institution).await
    }

    async fn insert_decision(&self, decided: &Decided) -> Result<Decided> {
        self.insert_decision_row(decided).await
    }

    async fn find_decision(&self, institution: InstitutionId, subject: &str) -> Result<Option<Decided>> {
        self.find_decision_row(institution, subject).await
    }

    async fn list_decisions(&self, institution: InstitutionId, limit: u32) -> Result<Vec<Decided>> {
        self.list_decision_rows(institution, limit).await
    }

    async fn find_funding(&self, institution: InstitutionId) -> Result<Option<Vec<FundingStep>>> {
        self.find_funding_row(institution).await
    }

    async fn insert_application(&self, application: &TravelApplication, line: &HistoryLine) -> Result<()> {
        self.insert_application_row(application, line).await
    }

    async fn find_application(&self, id: ApplicationId) -> Result<Option<Versioned<TravelApplication>>> {
        self.find_application_row(id).await
    }

    async fn update_application(
        &self,
        application: &Versioned<TravelApplication>,
        line: Option<&HistoryLine>,
    ) -> Result<Written> {
        self.update_application_row(application, line).await
    }

    async fn list_applications(
        &self,
        bucket: Bucket,
        person: PersonId,
        page: &Page,
    ) -> Result<Vec<Versioned<TravelApplication>>> {
        self.list_application_rows(bucket, person, page).await
    }

    async fn list_applications_of(
        &self,
        institution: InstitutionId,
        waiting: Waiting,
        page: &Page,
    ) -> Result<Vec<TravelApplication>> {
        self.list_application_rows_of(institution, waiting, page).await
    }

    async fn list_history(&self, application: ApplicationId) -> Result<Vec<HistoryLine>> {
        self.list_history_rows(application).await
    }

    async fn list_overdue(&self, now: i64, limit: u32) -> Result<Vec<Versioned<TravelApplication>>> {
        self.list_overdue_rows(now, limit).await
    }

    async fn insert_consultation(
        &self,
        consultation: &Consultation,
        locked: Option<&Versioned<TravelApplication>>,
    ) -> Result<Written> {
        self.insert_consultation_row(consultation, locked).await
    }

    async fn find_consultation(&self, id: ConsultationId) -> Result<Option<Consultation>> {
        self.find_consultation_row(id).await
    }

    async fn insert_order(
        &self,
        order: &RideOrder,
        fingerprint: &str,
        locked: Option<&Versioned<TravelApplication>>,
    ) -> Result<Written> {
        self.insert_order_row(order, fingerprint, locked).await
    }

    async fn find_number(&self, provider: MerchantId, number: &str) -> Result<Option<(RideOrderId, String)>> {
        self.find_number_row(provider, number).await
    }

    async fn find_order(&self, id: RideOrderId) -> Result<Option<RideOrder>> {
        self.find_order_row(id).await
    }

    async fn settle_order(
        &self,
        order: &RideOrder,
        form: Option<&Versioned<TravelApplication>>,
        line: Option<&HistoryLine>,
    ) -> Result<Written> {
        self.settle_order_row(order, form, line).await
    }

    async fn update_order(&self, order: &RideOrder) -> Result<()> {
        self.update_order_row(order).await
    }

    async fn list_orders_of_person(&self, person: PersonId, bucket: Bucket, page: &Page) -> Result<Vec<RideOrder>> {
        self.list_order_rows_of_person(person, bucket, page).await
    }

    async fn list_orders_of_institution(&self, institution: InstitutionId, page: &Page) -> Result<Vec<RideOrder>> {
        self.list_order_rows_of_institution(institution, page).await
    }

    async fn list_orders_of_provider(&self, provider: MerchantId, search: &str, page: &Page) -> Result<Vec<RideOrder>> {
        self.list_order_rows_of_provider(provider, search, page).await
    }

    async fn list_unsettled(&self, before: i64, limit: u32) -> Result<Vec<RideOrder>> {
        self.list_unsettled_rows(before, limit).await
    }

    async fn insert_conflict(&self, conflict: &RideConflict) -> Result<()> {
        self.insert_conflict_row(conflict).await
    }

    async fn list_conflicts(&self, provider: MerchantId, page: &Page) -> Result<Vec<RideConflict>> {
        self.list_conflict_rows(provider, page).await
    }

    async fn put_consent(&self, consent: &RideConsent) -> Result<()> {
        self.put_consent_row(consent).await
    }

    async fn find_consent(&self, person: PersonId) -> Result<Option<RideConsent>> {
        self.find_consent_row(person).await
    }
}
