//! The contract of the payment platform.

use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::{LocalTime, WorkCalendar};
use onescan_domain::codes::{CodeKind, CodeRecordId, CodeRefusal, CodeText};
use onescan_domain::geo::GeoPoint;
use onescan_domain::ids::{
    AccountId, CodeId, EventId, InstitutionId, KeyId, MemberId, MerchantId, PaymentId, PersonId, RefundId, RideOrderId,
    ScenarioId, StoreId, TerminalId, TransferId, TravelTypeId,
};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::batch::{Alarm, AlarmKind, PayOutcome, Replayed, UsageKey, UsageRow};
use onescan_domain::payments::ledger::{Account, AccountKind, Phase, Transfer, TransferKind};
use onescan_domain::payments::ride::{
    Arrears, Candidate, Consent, InstitutionSide, PersonalSide, RideFacts, RideOutcome, RidePay, RidePlace,
    RideUsageKey, SettleRefusal,
};
use onescan_domain::payments::{ChangeRefusal, PayError, Payment, PaymentRefusal, PaymentState, Refund};
use onescan_domain::policy::{DIMENSIONS, Dimension, Operator, Policy, Reason, ReasonText, Usage, Verdict};
use onescan_domain::rides::decision::RideDecision;
use onescan_platforms::payments::{
    AssertPaid, CaptureMode, Change, ChangeRequest, Changed, Idempotency, MoveRefusal, MoveRequest, Moved, NewAccount,
    Page, PayRequest, Payments, Sale, SalesFilter, SalesTotal, TerminalFacts,
};
use serde_json::Value;

use super::contract::contract;
use super::form::{Schemas, Unreadable, Wire, Word, known, mirrored, tagged, words};

contract! {
    /// The payment platform: verification, funding account, ledger. The only authority on whether a code was used. Every
    /// change carries a key of its caller, so that a repeat answers as the first did.
    PAYMENTS: Payments at "payments" version "1.0";
    callers ["processing"], may also [];
    RemotePayments, payments_routes;
    /// Pays each request or says why not, in order; answered only when it is durable. Asks the service platform again
    /// first. A repeat (same key of the same terminal's key, or same order with the same content) answers as the first did.
    same pay(requests: Vec<PayRequest>) -> Vec<Result<PayOutcome, PayError>>;
    /// Decides who pays each ride and writes it in one transaction, in order: the institution, else the person, else it is
    /// owed. An order is decided once; a repeat returns what stands.
    same pay_rides(rides: Vec<RidePay>) -> Vec<RideOutcome>;
    /// What a person still owes for rides.
    read arrears(person: PersonId) -> Vec<Arrears>;
    /// Lowers what is owed for a ride that cost less than was told; 0 drops the debt. Answers with what is still owed;
    /// null: it is paid.
    same lower_arrears(person: PersonId, order: RideOrderId, to_minor: i64) -> Option<i64>;
    /// Pays what is owed for one ride; a repeat returns what stands.
    same settle_arrears(person: PersonId, order: RideOrderId) -> Result<Arrears, SettleRefusal>;
    /// What one person used of the limits of one kind of travel.
    read ride_usage(key: RideUsageKey) -> UsageRow;
    /// A terminal's word that a code's sale was paid elsewhere: no money moves, the code is dead.
    same assert_paid(request: AssertPaid) -> Result<PayOutcome, PayError>;
    /// Refunds, reverses, captures or voids a payment.
    same change(request: ChangeRequest) -> Result<Changed, ChangeRefusal>;
    /// Money from one account to another by an operator or administrator, and whether the answer is a repeated one.
    same move_money_once(request: MoveRequest) -> Result<Moved, MoveRefusal>;
    /// One payment.
    read find(id: PaymentId) -> Option<Payment>;
    /// The payment that claimed each code, in order.
    read find_by_codes(codes: Vec<CodeId>) -> Vec<Option<Payment>>;
    /// The payment under a merchant's order number: what to ask when the outcome of `pay` is unknown.
    read find_by_order(merchant: MerchantId, order_number[&]: str) -> Option<Payment>;
    /// All refunds of a payment.
    read refunds(payment: PaymentId) -> Vec<Refund>;
    /// What was spent in the current local day, week, month, quarter and year, in order.
    read usage(keys: Vec<UsageKey>, bucket: Bucket) -> Vec<UsageRow>;
    /// Opens an account, or answers with the one that has this id.
    same open_account(new: NewAccount) -> Account;
    /// One account with its balance.
    read account(id: AccountId) -> Option<Account>;
    /// Movements of an account, newest first.
    read transfers(account: AccountId, page: Page) -> Vec<Transfer>;
    /// Payments of a person, newest first.
    read payments_of_person(person: PersonId, buckets: Vec<Bucket>, page: Page) -> Vec<Payment>;
    /// Payments under a record, newest first.
    read payments_of_record(bucket: Bucket, record[&]: CodeRecordId, page: Page) -> Vec<Payment>;
    /// A merchant's sales, newest first, a moment after their payments.
    read sales(filter: SalesFilter, page: Page) -> Vec<Sale>;
    /// Sums over sales, one per currency.
    read sales_total(filter: SalesFilter) -> Vec<SalesTotal>;
    /// What a person should see, newest first.
    read alarms_of_person(person: PersonId, buckets: Vec<Bucket>, page: Page) -> Vec<Alarm>;
    /// What the operator should see, newest first.
    read alarms(page: Page) -> Vec<Alarm>;
    /// Keeps an alarm that was not raised by paying.
    same raise(alarm: Alarm) -> ();
}

words! {
    /// Whether the money moves at once or is only held.
    CaptureMode { Now = "now", Later = "later" }
    Replayed { No = "no", Yes = "yes" }
    AlarmKind { CodeRepeated = "code_repeated", TerminalLocked = "terminal_locked" }
    Operator { AtMost = "<=", AtLeast = ">=", In = "in", NotIn = "not in", Holds = "holds" }
    Verdict { Holds = "holds", Fails = "fails", Unknown = "unknown" }
    AccountKind {
        Person = "person", Institution = "institution", SubInstitution = "sub_institution", Member = "member",
        Merchant = "merchant", Clearing = "clearing", Bank = "bank", Suspense = "suspense",
    }
    TransferKind {
        TopUp = "top_up", Allotment = "allotment", Payment = "payment", Refund = "refund", Reversal = "reversal",
        MerchantPayment = "merchant_payment", MerchantRefund = "merchant_refund", Correction = "correction",
    }
}

tagged! {
    PaymentState as PaymentStateForm {
        Authorised { hold: TransferId, until: i64 } = "authorised",
        Paid { at: i64, transfer: TransferId } = "paid",
        PaidElsewhere { at: i64, means: String, reference: Option<String> } = "paid_elsewhere",
        Refused { at: i64, refusal: PaymentRefusal } = "refused",
        Voided { at: i64 } = "voided",
        Expired { at: i64 } = "expired",
        Reversed { at: i64, transfer: TransferId } = "reversed",
    }
    /// Why a payment was refused after its code was claimed, in the order of the checks.
    PaymentRefusal as PaymentRefusalForm {
        CurrencyMismatch { payer: Currency, asked: Currency } = "currency_mismatch",
        ScenarioNotPermitted { category: u16 } = "scenario_not_permitted",
        LimitExceeded { trace: Vec<Reason> } = "limit_exceeded",
        NoConsent { cap: Option<Money> } = "no_consent",
        InsufficientFunds = "insufficient_funds",
    }
    /// What a person agreed to pay of one ride where the institution does not.
    Consent as ConsentForm {
        None = "none",
        UpTo(minor: i64) = "up_to",
        NotNeeded = "not_needed",
    }
    /// In the order of the checks.
    SettleRefusal as SettleRefusalForm {
        NothingOwed = "nothing_owed",
        CurrencyMismatch { account: Currency, asked: Currency } = "currency_mismatch",
        InsufficientFunds { available: Money, needed: Money } = "insufficient_funds",
    }
    /// Why an attempt to pay leaves no trace or names an earlier payment, in the order of the checks.
    PayError as PayErrorForm {
        KeyRevoked = "key_revoked",
        TerminalLocked { until: i64 } = "terminal_locked",
        KeyConflict = "key_conflict",
        OrderConflict { payment: PaymentId } = "order_conflict",
        Code(refusal: CodeRefusal) = "code",
    }
    Change as ChangeForm {
        Refund { number: String, amount: Money, reason: Option<String> } = "refund",
        Reverse = "reverse",
        Capture { amount: Money } = "capture",
        Void = "void",
    }
    /// In the order of the checks.
    ChangeRefusal as ChangeRefusalForm {
        KeyConflict = "key_conflict",
        Unknown = "unknown",
        NumberConflict = "number_conflict",
        State { state: StateName } = "state",
        TooMuch { left: Money } = "too_much",
        CurrencyMismatch { payment: Currency, asked: Currency } = "currency_mismatch",
    }
    /// In the order of the checks.
    MoveRefusal as MoveRefusalForm {
        KeyConflict = "key_conflict",
        Unknown = "unknown",
        NotTogether = "not_together",
        CurrencyMismatch { account: Currency, asked: Currency } = "currency_mismatch",
        InsufficientFunds { available: Money } = "insufficient_funds",
    }
    /// How a transfer counts.
    Phase as PhaseForm {
        Posted = "posted",
        Pending { until: i64 } = "pending",
        Posts { pending: TransferId } = "posts",
        Voids { pending: TransferId } = "voids",
        Expires { pending: TransferId } = "expires",
    }
}

mirrored! {
    /// The merchant's terminal behind a request, as the processing platform authenticated it.
    TerminalFacts as TerminalFactsForm {
        key: KeyId,
        terminal: TerminalId,
        merchant: MerchantId,
        store: StoreId,
        /// ISO 18245.
        category: u16,
        city: String,
    }
    PayRequest as PayRequestForm {
        text: CodeText,
        terminal: TerminalFacts,
        /// 1 to 64 characters; unique per merchant for ever.
        order_number: String,
        /// At least 1 minor unit.
        amount: Money,
        subject: Option<String>,
        capture: CaptureMode,
        /// 1 to 255 visible ASCII characters; unique per terminal's key.
        idempotency_key: String,
    }
    /// One ride to be paid.
    RidePay as RidePayForm {
        /// Names the payment for ever.
        order: RideOrderId,
        provider: MerchantId,
        number: String,
        person: PersonId,
        amount: Money,
        subject: Option<String>,
        /// Null: the person pays.
        institution: Option<InstitutionSide>,
        personal: PersonalSide,
    }
    /// The institution that is asked first.
    InstitutionSide as InstitutionSideForm {
        institution: InstitutionId,
        member: MemberId,
        travel_type: TravelTypeId,
        policy: Arc<Policy>,
        facts: RideFacts,
        /// In the order in which they are tried.
        candidates: Vec<Candidate>,
    }
    /// What the policy judges; an empty text is one that the order does not tell.
    RideFacts as RideFactsForm {
        started: LocalTime,
        ended: LocalTime,
        category: u16,
        travel_type: String,
        provider_name: String,
        /// Id and name.
        line: (String, String),
        start: RidePlace,
        end: RidePlace,
        distance_m: Option<i64>,
        companions: Option<u16>,
        /// Id and employee number.
        member: (String, String),
        /// Id and name.
        department: (String, String),
        /// Days of the ride that differ from their weekday, one a line: date, `workday` or `holiday`, name.
        calendar: WorkCalendar,
        /// Of the institution's own system; null where it was not asked, or its answer does not count.
        decision: Option<RideDecision>,
    }
    RidePlace as RidePlaceForm {
        stop: String,
        name: String,
        city: String,
        /// Fare zone.
        zone: String,
        point: Option<GeoPoint>,
    }
    Candidate as CandidateForm {
        account: AccountId,
        /// What it pays at most of one ride.
        cap_minor: Option<i64>,
    }
    PersonalSide as PersonalSideForm { account: AccountId, currency: Currency, consent: Consent, local: LocalTime }
    LocalTime as LocalTimeForm {
        /// Since 1970-01-01.
        day: i32,
        month: i32,
        minute: u16,
    }
    RideOutcome as RideOutcomeForm {
        order: RideOrderId,
        institution: Option<Payment>,
        personal: Option<Payment>,
        /// Still owed.
        arrears_minor: i64,
    }
    Arrears as ArrearsForm {
        order: RideOrderId,
        person: PersonId,
        payment: PaymentId,
        provider: MerchantId,
        amount: Money,
        since: i64,
        settled_at: Option<i64>,
    }
    RideUsageKey as RideUsageKeyForm { travel_type: TravelTypeId, person: PersonId }
    PayOutcome as PayOutcomeForm { payment: Payment, replayed: Replayed }
    /// One attempt to pay.
    Payment as PaymentForm {
        id: PaymentId,
        code: Option<CodeId>,
        record: CodeRecordId,
        kind: CodeKind,
        person: PersonId,
        member: Option<MemberId>,
        /// Who pays.
        account: AccountId,
        merchant: MerchantId,
        store: StoreId,
        terminal: TerminalId,
        order_number: String,
        scenario: Option<ScenarioId>,
        amount: Money,
        subject: Option<String>,
        state: PaymentState,
        /// Sum of its refunds.
        refunded_minor: i64,
        /// Local day in which it counts against limits, since 1970.
        local_day: i32,
        local_month: i32,
        created_at: i64,
    }
    /// One line of a decision: what was seen, what is allowed, and whether that holds.
    ReasonText as ReasonForm {
        dimension: Dimension,
        operator: Operator,
        /// Null when the order does not say.
        seen: Option<String>,
        allowed: String,
        /// Of the condition as it is written.
        verdict: Verdict,
        /// Whether it stands under `not`.
        negated: bool,
        /// Not satisfied, but another branch of an `any of` was.
        excused: bool,
        left: Option<i64>,
    }
    AssertPaid as AssertPaidForm {
        text: CodeText,
        terminal: TerminalFacts,
        amount: Money,
        /// `cash`, `card`, …
        means: String,
        reference: Option<String>,
        idempotency_key: String,
    }
    /// Who asks and under which key.
    Idempotency as IdempotencyForm {
        caller: String,
        key: String,
        /// Hash over what was asked: the same key with another one is a conflict.
        fingerprint: String,
    }
    ChangeRequest as ChangeRequestForm {
        payment: PaymentId,
        /// Whose payment it must be; another's is unknown.
        merchant: MerchantId,
        idempotency: Idempotency,
        change: Change,
    }
    Changed as ChangedForm { payment: Payment, refund: Option<Refund>, replayed: bool }
    Refund as RefundForm {
        id: RefundId,
        payment: PaymentId,
        /// The merchant's own; unique per payment.
        number: String,
        amount: Money,
        reason: Option<String>,
        transfer: TransferId,
        created_at: i64,
    }
    MoveRequest as MoveRequestForm {
        kind: TransferKind,
        /// Null: the operator's bank.
        debit: Option<AccountId>,
        credit: AccountId,
        amount: Money,
        idempotency: Idempotency,
    }
    Moved as MovedForm { transfer: Transfer, replayed: bool }
    /// Money from one account to another; never changed, never deleted.
    Transfer as TransferForm {
        id: TransferId,
        debit: AccountId,
        credit: AccountId,
        amount: Money,
        kind: TransferKind,
        phase: Phase,
        payment: Option<PaymentId>,
        corrects: Option<TransferId>,
        created_at: i64,
    }
    NewAccount as NewAccountForm { id: AccountId, kind: AccountKind, owner: String, name: String, currency: Currency }
    Account as AccountForm {
        id: AccountId,
        kind: AccountKind,
        owner: String,
        name: String,
        currency: Currency,
        posted_minor: i64,
        /// Sum of what is held.
        held_minor: i64,
    }
    UsageKey as UsageKeyForm {
        record: CodeRecordId,
        scenario: ScenarioId,
        person: PersonId,
        /// The account behind a person's own code.
        own: Option<AccountId>,
    }
    UsageRow as UsageRowForm { day: i32, month: i32, used: Usage }
    Usage as UsageForm {
        day_minor: i64,
        day_count: i64,
        week_minor: i64,
        week_count: i64,
        month_minor: i64,
        month_count: i64,
        quarter_minor: i64,
        quarter_count: i64,
        year_minor: i64,
        year_count: i64,
    }
    /// A page of a list, newest first.
    Page as PageForm {
        /// The last id of the page before.
        after: Option<String>,
        /// 1 to 200.
        limit: u32,
    }
    SalesFilter as SalesFilterForm { merchant: MerchantId, terminal: Option<TerminalId>, from: i64, until: i64 }
    Sale as SaleForm {
        payment: PaymentId,
        store: StoreId,
        terminal: TerminalId,
        order_number: String,
        amount: Money,
        refunded_minor: i64,
        paid_at: i64,
        reversed: bool,
    }
    SalesTotal as SalesTotalForm { currency: Currency, count: i64, amount_minor: i64, refunded_minor: i64 }
    Alarm as AlarmForm {
        id: EventId,
        kind: AlarmKind,
        person: Option<PersonId>,
        terminal: TerminalId,
        payment: Option<PaymentId>,
        created_at: i64,
    }
}

type StateName = &'static str;

/// The names of [`PaymentState`].
const STATES: &[&str] = &[
    "authorised",
    "paid",
    "paid_elsewhere",
    "refused",
    "voided",
    "expired",
    "reversed",
];

impl Wire for StateName {
    type Form = Word;
    type Owned = Self;

    fn form(&self) -> Word {
        Word::Borrowed(self)
    }

    fn read(form: Word) -> Result<Self, Unreadable> {
        known(STATES, &form)
    }

    fn schema(_: &mut Schemas) -> Value {
        serde_json::json!({ "type": "string", "enum": STATES })
    }
}

impl Wire for Dimension {
    type Form = Word;
    type Owned = Self;

    fn form(&self) -> Word {
        Word::Borrowed(self.name())
    }

    fn read(form: Word) -> Result<Self, Unreadable> {
        let row = DIMENSIONS.iter().find(|row| row.name == form);
        row.map(|row| row.dimension)
            .ok_or_else(|| Unreadable::new("is no dimension"))
    }

    fn schema(_: &mut Schemas) -> Value {
        let names: Vec<_> = DIMENSIONS.iter().map(|row| row.name).collect();
        serde_json::json!({ "type": "string", "enum": names })
    }
}

impl Wire for Reason {
    type Form = <ReasonText as Wire>::Form;
    type Owned = Self;

    fn form(&self) -> Self::Form {
        ReasonText::from(self).form()
    }

    fn read(form: Self::Form) -> Result<Self, Unreadable> {
        let text = <ReasonText as Wire>::read(form)?;
        text.read().ok_or_else(|| Unreadable::new("is no reason"))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        <ReasonText as Wire>::schema(schemas)
    }
}
