//! The payment platform's tables: payments, refunds, counters, claims; with `ledger` and `outbox` the
//! port [`PaymentStore`].

mod changes;
mod lists;
mod pay;
pub(crate) mod refusal;
mod rides;
mod rows;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{AccountId, CodeId, MerchantId, PaymentId, PersonId, RideOrderId};
use onescan_domain::merchants::GuardLimits;
use onescan_domain::payments::batch::{Alarm, PayCommand, PayOutcome, UsageKey, UsageRow};
use onescan_domain::payments::ledger::{Account, Transfer};
use onescan_domain::payments::ride::{Arrears, DrawnIds, RideCommand, RideOutcome, RideUsageKey, SettleRefusal};
use onescan_domain::payments::{ChangeRefusal, PayError, Payment, Refund};
use onescan_domain::policy::Counters;
use onescan_platforms::error::Result;
use onescan_platforms::payments::{
    AssertCommand, ChangeCommand, Changed, Idempotency, InvariantReport, MoveRefusal, NewAccount, Page, PaymentStore,
    Sale, SalesFilter, SalesTotal,
};

use crate::Store;
use crate::gather::Gathering;
use crate::statement::Statement;

/// Payments that wait.
pub(crate) type Payments = Gathering<PayCommand, Result<PayOutcome, PayError>>;
/// Ride payments that wait.
pub(crate) type Rides = Gathering<RideCommand, RideOutcome>;

/// The statements of this folder, by module.
pub(crate) static STATEMENTS: &[&[&Statement]] = &[rows::ALL, pay::ALL, changes::ALL, lists::ALL, rides::ALL];

#[async_trait]
impl PaymentStore for Store {
    async fn pay(&self, batch: Vec<PayCommand>, guard: GuardLimits) -> Result<Vec<Result<PayOutcome, PayError>>> {
        self.pay_batch(batch, guard).await
    }

    async fn pay_rides(&self, batch: Vec<RideCommand>) -> Result<Vec<RideOutcome>> {
        self.pay_ride_batch(batch).await
    }

    async fn list_arrears(&self, person: PersonId) -> Result<Vec<Arrears>> {
        self.list_arrears_rows(person).await
    }

    async fn lower_arrears(&self, person: PersonId, order: RideOrderId, to_minor: i64) -> Result<Option<i64>> {
        self.lower_arrears_row(person, order, to_minor).await
    }

    async fn settle_arrears(
        &self,
        person: PersonId,
        order: RideOrderId,
        at: i64,
        ids: DrawnIds,
    ) -> Result<Result<Arrears, SettleRefusal>> {
        self.settle_arrears_row(person, order, at, ids).await
    }

    async fn load_ride_usage(&self, key: RideUsageKey) -> Result<Option<Counters>> {
        self.load_ride_usage_row(key).await
    }

    async fn assert_paid(&self, command: AssertCommand) -> Result<Result<PayOutcome, PayError>> {
        self.assert_payment(command).await
    }

    async fn change(&self, command: ChangeCommand) -> Result<Result<Changed, ChangeRefusal>> {
        self.change_payment(command).await
    }

    async fn move_money(&self, transfer: Transfer, idempotency: Idempotency) -> Result<Result<Transfer, MoveRefusal>> {
        self.move_between(transfer, idempotency).await
    }

    async fn find(&self, id: PaymentId) -> Result<Option<Payment>> {
        self.find_payment(id).await
    }

    async fn find_by_codes(&self, codes: Vec<CodeId>) -> Result<Vec<Option<Payment>>> {
        self.find_payments_of_codes(codes).await
    }

    async fn find_by_order(&self, merchant: MerchantId, order_number: &str) -> Result<Option<Payment>> {
        self.find_payment_of_order(merchant, order_number).await
    }

    async fn list_refunds(&self, payment: PaymentId) -> Result<Vec<Refund>> {
        self.list_refund_rows(payment).await
    }

    async fn load_usage(&self, keys: Vec<UsageKey>, bucket: Bucket) -> Result<Vec<Option<UsageRow>>> {
        self.load_usage_rows(keys, bucket).await
    }

    async fn insert_account(&self, new: &NewAccount, at: i64) -> Result<()> {
        self.insert_account_row(new, at).await
    }

    async fn find_account(&self, id: AccountId) -> Result<Option<Account>> {
        self.find_account_row(id).await
    }

    async fn list_transfers(&self, account: AccountId, page: &Page) -> Result<Vec<Transfer>> {
        self.list_transfer_rows(account, page).await
    }

    async fn list_of_person(&self, person: PersonId, bucket: Bucket, page: &Page) -> Result<Vec<Payment>> {
        self.list_payments_of_person(person, bucket, page).await
    }

    async fn list_of_record(&self, bucket: Bucket, record: &CodeRecordId, page: &Page) -> Result<Vec<Payment>> {
        self.list_payments_of_record(bucket, record, page).await
    }

    async fn list_sales(&self, filter: &SalesFilter, page: &Page) -> Result<Vec<Sale>> {
        self.list_sale_rows(filter, page).await
    }

    async fn sum_sales(&self, filter: &SalesFilter) -> Result<Vec<SalesTotal>> {
        self.sum_sale_rows(filter).await
    }

    async fn list_alarms_of_person(&self, person: PersonId, bucket: Bucket, page: &Page) -> Result<Vec<Alarm>> {
        self.list_alarm_rows_of_person(person, bucket, page).await
    }

    async fn list_alarms(&self, page: &Page) -> Result<Vec<Alarm>> {
        self.list_alarm_rows(page).await
    }

    async fn insert_alarm(&self, alarm: &Alarm) -> Result<()> {
        self.insert_alarm_row(alarm).await
    }

    async fn expire_holds(&self, now: i64, limit: u32) -> Result<u64> {
        self.expire_held(now, limit).await
    }

    async fn post_merchant_side(&self, now: i64, limit: u32) -> Result<u64> {
        self.post_merchant_sides(now, limit).await
    }

    async fn outbox_state(&self, now: i64) -> Result<(u64, i64)> {
        self.read_outbox_state(now).await
    }

    async fn audit(&self) -> Result<Vec<InvariantReport>> {
        self.audit_rows().await
    }
}
