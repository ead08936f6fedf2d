//! The payment platform: verification, funding account, ledger. The only authority on whether a code was used.
//!
//! **Invariant:** one payment is one durable write, in one bucket: claim of the code, payment, counters, transfer,
//! idempotency row, outbox row. The merchant's side follows from the outbox, idempotent by payment.

mod local;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::{CodeRecordId, CodeText};
use onescan_domain::ids::{
    AccountId, CodeId, EventId, KeyId, MerchantId, PaymentId, PersonId, RefundId, RideOrderId, StoreId, TerminalId,
    TransferId,
};
use onescan_domain::merchants::GuardLimits;
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::batch::{Alarm, PayCommand, PayOutcome, UsageKey, UsageRow};
use onescan_domain::payments::ledger::{Account, AccountKind, Transfer, TransferKind};
use onescan_domain::payments::ride::{
    Arrears, DrawnIds, RideCommand, RideOutcome, RidePay, RideUsageKey, SettleRefusal,
};
use onescan_domain::payments::{ChangeRefusal, PayError, Payment, Refund};
use onescan_domain::policy::Counters;

pub use local::{LocalPayments, PaymentSettings};

use crate::error::Result;

/// Who asks and under which key, so that a repeat is known. The key is 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's credential; keys of different callers do not meet.
    pub caller: String,
    pub key: String,
    /// Hash over what was asked.
    pub fingerprint: String,
}

/// The merchant's terminal behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalFacts {
    pub key: KeyId,
    pub terminal: TerminalId,
    pub merchant: MerchantId,
    pub store: StoreId,
    /// Of the store, else of the merchant.
    pub category: u16,
    pub city: String,
}

/// Whether the money moves at once or is only held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureMode {
    Now,
    Later,
}

/// A terminal's request to be paid with a scanned code.
#[derive(Debug, Clone)]
pub struct PayRequest {
    pub text: CodeText,
    pub terminal: TerminalFacts,
    /// 1 to 64 characters.
    pub order_number: String,
    /// At least 1 minor unit.
    pub amount: Money,
    pub subject: Option<String>,
    pub capture: CaptureMode,
    pub idempotency_key: String,
}

/// A refund, reversal, capture or void of a payment, asked for by its merchant.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    pub payment: PaymentId,
    /// Whose payment it must be; another's is [`ChangeRefusal::Unknown`].
    pub merchant: MerchantId,
    pub idempotency: Idempotency,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `number`: the merchant's refund number, unique per payment.
    Refund {
        number: String,
        amount: Money,
        reason: Option<String>,
    },
    /// Undoes the whole payment, as after a lost answer; frees the order number. Only while nothing was refunded.
    Reverse,
    /// Takes held money, all of it or a part; the rest is released.
    Capture { amount: Money },
    /// Releases held money.
    Void,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub payment: Payment,
    pub refund: Option<Refund>,
    /// Whether this is the answer of an earlier identical request.
    pub replayed: bool,
}

/// An invoice terminal's word that a code's sale was paid elsewhere. Row S17, trap 2: no money moves, the code is dead.
#[derive(Debug, Clone)]
pub struct AssertPaid {
    pub text: CodeText,
    pub terminal: TerminalFacts,
    pub amount: Money,
    /// `cash`, `card`, …: 1 to 40 characters.
    pub means: String,
    pub reference: Option<String>,
    pub idempotency_key: String,
}

/// Money from one account to another by an operator or administrator: a top-up (from the bank) or an allotment.
#[derive(Debug, Clone)]
pub struct MoveRequest {
    pub kind: TransferKind,
    /// `None`: the operator's bank in the credit account's bucket.
    pub debit: Option<AccountId>,
    pub credit: AccountId,
    pub amount: Money,
    pub idempotency: Idempotency,
}

/// Why money was not moved, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveRefusal {
    #[error("the idempotency key was used for another request")]
    KeyConflict,
    #[error("there is no such account")]
    Unknown,
    #[error("the accounts lie in different institutions")]
    NotTogether,
    #[error("the account is kept in {account}, the amount in {asked}")]
    CurrencyMismatch { account: Currency, asked: Currency },
    #[error("the account holds too little: {available} can be moved")]
    InsufficientFunds { available: Money },
}

/// A movement of money with whether it answers an earlier identical request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub transfer: Transfer,
    pub replayed: bool,
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    pub id: AccountId,
    pub kind: AccountKind,
    /// Stored id of its owner.
    pub owner: String,
    pub name: String,
    pub currency: Currency,
}

/// A page of a list, newest first. `after`: the last id of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub after: Option<String>,
    /// `1..=200`.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 50 }
    }
}

/// A merchant's sale as it lies on the merchant's side, a moment after the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    pub payment: PaymentId,
    pub store: StoreId,
    pub terminal: TerminalId,
    pub order_number: String,
    pub amount: Money,
    pub refunded_minor: i64,
    pub paid_at: i64,
    /// Whether it was undone as a whole.
    pub reversed: bool,
}

/// Sums over sales. Refunds count when their sale was paid in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalesTotal {
    pub currency: Currency,
    pub count: i64,
    pub amount_minor: i64,
    pub refunded_minor: i64,
}

/// Which sales: `from` included, `until` not, milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalesFilter {
    pub merchant: MerchantId,
    pub terminal: Option<TerminalId>,
    pub from: i64,
    pub until: i64,
}

/// One invariant, checked over every bucket. Source: DESIGN section 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvariantReport {
    pub name: &'static str,
    pub meaning: &'static str,
    /// What breaks it, at most 20 of them, in words; empty: it holds.
    pub breaches: Vec<String>,
}

/// The contract of the payment platform. Calls on the pay path take batches.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Pays each request or says why not; answered only after the commit. Asks `codes` again first. Row S14.
    /// Refusal order and repeats: [`onescan_domain::payments::batch::Books::pay`].
    async fn pay(&self, requests: Vec<PayRequest>) -> Result<Vec<Result<PayOutcome, PayError>>>;

    /// Decides who pays each ride and writes it, in one transaction for all of them; answered only after the commit. An order
    /// is decided once: a repeat returns what stands. See [`onescan_domain::payments::ride::RideBooks::pay`]. Rows R06-R08.
    async fn pay_rides(&self, rides: Vec<RidePay>) -> Result<Vec<RideOutcome>>;
    /// What the person still owes for rides, the oldest first.
    async fn arrears(&self, person: PersonId) -> Result<Vec<Arrears>>;
    /// Pays what is owed for one ride from the account that could not pay it before. A repeat returns what stands.
    async fn settle_arrears(&self, person: PersonId, order: RideOrderId) -> Result<Result<Arrears, SettleRefusal>>;

    /// Lowers what is owed for a ride that cost less than was told, to `to_minor` at most; 0 drops the debt. Answers with what is
    /// still owed; a debt that is lower already stays as it is. `None`: it is paid. Row R08.
    async fn lower_arrears(&self, person: PersonId, order: RideOrderId, to_minor: i64) -> Result<Option<i64>>;
    /// What was used of the limits of one kind of travel by one person.
    async fn ride_usage(&self, key: RideUsageKey) -> Result<Counters>;

    async fn assert_paid(&self, request: AssertPaid) -> Result<Result<PayOutcome, PayError>>;
    async fn change(&self, request: ChangeRequest) -> Result<Result<Changed, ChangeRefusal>>;
    /// [`Self::move_money_once`] for callers that need not know whether the answer is a repeated one.
    async fn move_money(&self, request: MoveRequest) -> Result<Result<Transfer, MoveRefusal>> {
        let moved = self.move_money_once(request).await?;
        Ok(moved.map(|moved| moved.transfer))
    }
    /// Moves money, and tells whether the answer is a repeated one.
    async fn move_money_once(&self, request: MoveRequest) -> Result<Result<Moved, MoveRefusal>>;

    async fn find(&self, id: PaymentId) -> Result<Option<Payment>>;
    async fn find_by_codes(&self, codes: Vec<CodeId>) -> Result<Vec<Option<Payment>>>;
    async fn find_by_order(&self, merchant: MerchantId, order_number: &str) -> Result<Option<Payment>>;
    async fn refunds(&self, payment: PaymentId) -> Result<Vec<Refund>>;
    async fn usage(&self, keys: Vec<UsageKey>, bucket: Bucket) -> Result<Vec<UsageRow>>;

    async fn open_account(&self, new: NewAccount) -> Result<Account>;
    async fn account(&self, id: AccountId) -> Result<Option<Account>>;
    async fn transfers(&self, account: AccountId, page: Page) -> Result<Vec<Transfer>>;

    async fn payments_of_person(&self, person: PersonId, buckets: Vec<Bucket>, page: Page) -> Result<Vec<Payment>>;
    /// All payments under a record, for the institution's overview.
    async fn payments_of_record(&self, bucket: Bucket, record: &CodeRecordId, page: Page) -> Result<Vec<Payment>>;
    async fn sales(&self, filter: SalesFilter, page: Page) -> Result<Vec<Sale>>;
    async fn sales_total(&self, filter: SalesFilter) -> Result<Vec<SalesTotal>>;
    async fn alarms_of_person(&self, person: PersonId, buckets: Vec<Bucket>, page: Page) -> Result<Vec<Alarm>>;
    async fn alarms(&self, page: Page) -> Result<Vec<Alarm>>;
    /// Keeps an alarm that was not raised by paying. Row S22.
    async fn raise(&self, alarm: Alarm) -> Result<()>;
}

/// A change with the ids it may need, drawn beforehand.
#[derive(Debug, Clone)]
pub struct ChangeCommand {
    pub request: ChangeRequest,
    pub at: i64,
    pub refund: RefundId,
    pub transfer: TransferId,
    pub event: EventId,
}

/// An asserted payment, checked by codes: written when nothing claimed the code yet.
#[derive(Debug, Clone)]
pub struct AssertCommand {
    pub payment: Payment,
    pub key: KeyId,
    pub idempotency_key: String,
    pub fingerprint: String,
}

/// What the in-process payment platform needs from the store.
#[async_trait]
pub trait PaymentStore: Send + Sync {
    /// Loads [`onescan_domain::payments::batch::Books`] for the batch, decides each command in order, writes, commits once.
    /// A race with another server (a unique violation) decides the whole batch again.
    async fn pay(&self, batch: Vec<PayCommand>, guard: GuardLimits) -> Result<Vec<Result<PayOutcome, PayError>>>;
    /// As [`Self::pay`] for rides: loads [`onescan_domain::payments::ride::RideBooks`], decides, writes, commits once.
    async fn pay_rides(&self, batch: Vec<RideCommand>) -> Result<Vec<RideOutcome>>;
    async fn list_arrears(&self, person: PersonId) -> Result<Vec<Arrears>>;
    /// Lowers an open debt to `to_minor`, 0 drops it; answers with what is owed then. `None`: it is paid.
    async fn lower_arrears(&self, person: PersonId, order: RideOrderId, to_minor: i64) -> Result<Option<i64>>;
    /// Locks what is owed and the account; refuses in the order of [`SettleRefusal`]. `ids`: of the new payment.
    async fn settle_arrears(
        &self,
        person: PersonId,
        order: RideOrderId,
        at: i64,
        ids: DrawnIds,
    ) -> Result<Result<Arrears, SettleRefusal>>;
    async fn load_ride_usage(&self, key: RideUsageKey) -> Result<Option<Counters>>;
    /// Refuses in this order: key revoked, key conflict, code used (a repeat returns the first answer).
    async fn assert_paid(&self, command: AssertCommand) -> Result<Result<PayOutcome, PayError>>;
    /// Locks the payment, applies the change, writes transfers, counters, outbox. Refuses in the order of [`ChangeRefusal`].
    async fn change(&self, command: ChangeCommand) -> Result<Result<Changed, ChangeRefusal>>;
    /// `transfer` is complete but for checks on its accounts; house accounts are made when first used.
    async fn move_money(&self, transfer: Transfer, idempotency: Idempotency) -> Result<Result<Transfer, MoveRefusal>>;

    async fn find(&self, id: PaymentId) -> Result<Option<Payment>>;
    async fn find_by_codes(&self, codes: Vec<CodeId>) -> Result<Vec<Option<Payment>>>;
    async fn find_by_order(&self, merchant: MerchantId, order_number: &str) -> Result<Option<Payment>>;
    async fn list_refunds(&self, payment: PaymentId) -> Result<Vec<Refund>>;
    async fn load_usage(&self, keys: Vec<UsageKey>, bucket: Bucket) -> Result<Vec<Option<UsageRow>>>;
    async fn insert_account(&self, new: &NewAccount, at: i64) -> Result<()>;
    async fn find_account(&self, id: AccountId) -> Result<Option<Account>>;
    async fn list_transfers(&self, account: AccountId, page: &Page) -> Result<Vec<Transfer>>;
    async fn list_of_person(&self, person: PersonId, bucket: Bucket, page: &Page) -> Result<Vec<Payment>>;
    async fn list_of_record(&self, bucket: Bucket, record: &CodeRecordId, page: &Page) -> Result<Vec<Payment>>;
    async fn list_sales(&self, filter: &SalesFilter, page: &Page) -> Result<Vec<Sale>>;
    async fn sum_sales(&self, filter: &SalesFilter) -> Result<Vec<SalesTotal>>;
    async fn list_alarms_of_person(&self, person: PersonId, bucket: Bucket, page: &Page) -> Result<Vec<Alarm>>;
    async fn list_alarms(&self, page: &Page) -> Result<Vec<Alarm>>;
    /// In the bucket of its person, else of its terminal.
    async fn insert_alarm(&self, alarm: &Alarm) -> Result<()>;

    /// Releases holds whose time is over, at most `limit`; returns how many.
    async fn expire_holds(&self, now: i64, limit: u32) -> Result<u64>;
    /// Takes up to `limit` outbox rows and posts the merchants' side: transfer clearing → merchant, sale row, balance; then
    /// removes the rows. Safe to run twice and on several servers; returns how many rows are done.
    async fn post_merchant_side(&self, now: i64, limit: u32) -> Result<u64>;
    /// Outbox rows not done yet and the age of the oldest in milliseconds.
    async fn outbox_state(&self, now: i64) -> Result<(u64, i64)>;
    /// Recomputes every invariant from the rows, bucket by bucket.
    async fn audit(&self) -> Result<Vec<InvariantReport>>;
}
