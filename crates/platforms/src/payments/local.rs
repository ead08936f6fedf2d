//! The payment platform inside this process: asks codes again, then hands the batch to the store, which decides and commits.

use std::sync::Arc;

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::LocalTime;
use onescan_domain::codes::{CodeRecordId, CodeRefusal};
use onescan_domain::ids::{
    AccountId, CodeId, EventId, MerchantId, PaymentId, PersonId, RefundId, RideOrderId, TransferId,
};
use onescan_domain::merchants::GuardLimits;
use onescan_domain::payments::batch::{Alarm, Capture, PayCommand, PayOutcome, Permit, UsageKey, UsageRow};
use onescan_domain::payments::ledger::{Account, AccountKind, Phase, Transfer, house_account};
use onescan_domain::payments::ride::{
    Arrears, DrawnIds, RideCommand, RideOutcome, RidePay, RideUsageKey, SettleRefusal,
};
use onescan_domain::payments::{ChangeRefusal, PayError, Payment, PaymentState, Refund};
use onescan_domain::policy::Counters;

use super::{
    AssertCommand, AssertPaid, CaptureMode, ChangeCommand, ChangeRequest, Changed, MoveRefusal, MoveRequest, Moved,
    NewAccount, Page, PayRequest, PaymentStore, Payments, Sale, SalesFilter, SalesTotal,
};
use crate::codes::{Codes, PermitRequest};
use crate::env::{Env, fingerprint, local_time};
use crate::error::{PlatformError, Result};

#[derive(Debug, Clone)]
pub struct PaymentSettings {
    pub guard: GuardLimits,
    /// How long money is held for a capture.
    pub hold_ms: i64,
    /// Time zone in which limits of codes count; the record's own is used where codes tells it.
    pub time_zone: String,
}

impl Default for PaymentSettings {
    fn default() -> Self {
        Self {
            guard: GuardLimits::default(),
            hold_ms: 7 * 24 * 3_600_000,
            time_zone: "UTC".to_owned(),
        }
    }
}

pub struct LocalPayments {
    env: Env,
    store: Arc<dyn PaymentStore>,
    codes: Arc<dyn Codes>,
    settings: PaymentSettings,
}

impl std::fmt::Debug for LocalPayments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalPayments")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl LocalPayments {
    pub fn new(env: Env, store: Arc<dyn PaymentStore>, codes: Arc<dyn Codes>, settings: PaymentSettings) -> Self {
        Self {
            env,
            store,
            codes,
            settings,
        }
    }

    fn command(&self, request: PayRequest, permit: Option<Permit>, at: i64) -> PayCommand {
        let bucket = permit
            .as_ref()
            .map_or(request.terminal.merchant.bucket(), |permit| permit.code.bucket());
        let capture = match request.capture {
            CaptureMode::Now => Capture::Now,
            CaptureMode::Later => Capture::Later {
                until: at + self.settings.hold_ms,
            },
        };
        let minor = request.amount.minor.to_be_bytes();
        let asked = fingerprint(&[
            request.text.as_str().as_bytes(),
            &minor,
            request.amount.currency.code().as_bytes(),
            request.order_number.as_bytes(),
            &[matches!(request.capture, CaptureMode::Later).into()],
        ]);
        PayCommand {
            payment: PaymentId::new(self.env.id(bucket)),
            transfer: TransferId::new(self.env.id(bucket)),
            event: EventId::new(self.env.id(bucket)),
            at,
            local: self.local(permit.as_ref(), at),
            key: request.terminal.key,
            terminal: request.terminal.terminal,
            merchant: request.terminal.merchant,
            store: request.terminal.store,
            category: request.terminal.category,
            city: request.terminal.city,
            order_number: request.order_number,
            amount: request.amount,
            subject: request.subject,
            capture,
            idempotency_key: request.idempotency_key,
            fingerprint: asked,
            permit,
        }
    }

    fn draw(&self, bucket: Bucket) -> DrawnIds {
        DrawnIds {
            payment: PaymentId::new(self.env.id(bucket)),
            transfer: TransferId::new(self.env.id(bucket)),
            event: EventId::new(self.env.id(bucket)),
        }
    }

    fn local(&self, permit: Option<&Permit>, at: i64) -> LocalTime {
        local_time(at, permit.map_or(&self.settings.time_zone, |permit| &permit.time_zone))
    }
}

#[async_trait]
impl Payments for LocalPayments {
    async fn pay(&self, requests: Vec<PayRequest>) -> Result<Vec<Result<PayOutcome, PayError>>> {
        let at = self.env.now_ms();
        let questions = requests.iter().map(|request| PermitRequest {
            text: request.text.clone(),
            category: request.terminal.category,
            at,
        });
        let permits = self.codes.permit(questions.collect()).await?;
        let pairs = requests.into_iter().zip(permits);
        let commands = pairs
            .map(|(request, permit)| self.command(request, permit, at))
            .collect();
        self.store.pay(commands, self.settings.guard).await
    }

    async fn pay_rides(&self, rides: Vec<RidePay>) -> Result<Vec<RideOutcome>> {
        let at = self.env.now_ms();
        let command = |pay: RidePay| {
            let asked = pay.institution.as_ref();
            let institution = asked.and_then(|side| side.candidates.first());
            let institution = institution.map_or(pay.order.bucket(), |candidate| candidate.account.bucket());
            RideCommand {
                at,
                institution: self.draw(institution),
                personal: self.draw(pay.personal.account.bucket()),
                pay,
            }
        };
        self.store.pay_rides(rides.into_iter().map(command).collect()).await
    }

    async fn arrears(&self, person: PersonId) -> Result<Vec<Arrears>> {
        self.store.list_arrears(person).await
    }

    async fn lower_arrears(&self, person: PersonId, order: RideOrderId, to_minor: i64) -> Result<Option<i64>> {
        self.store.lower_arrears(person, order, to_minor.max(0)).await
    }

    async fn settle_arrears(&self, person: PersonId, order: RideOrderId) -> Result<Result<Arrears, SettleRefusal>> {
        let ids = self.draw(person.bucket());
        self.store.settle_arrears(person, order, self.env.now_ms(), ids).await
    }

    async fn ride_usage(&self, key: RideUsageKey) -> Result<Counters> {
        Ok(self.store.load_ride_usage(key).await?.unwrap_or_default())
    }

    async fn assert_paid(&self, request: AssertPaid) -> Result<Result<PayOutcome, PayError>> {
        let at = self.env.now_ms();
        let question = PermitRequest {
            text: request.text.clone(),
            category: request.terminal.category,
            at,
        };
        let Some(permit) = self.codes.permit(vec![question]).await?.pop().flatten() else {
            return Ok(Err(PayError::Code(CodeRefusal::Unknown)));
        };
        // The pay window does not bind here: cash is handed over when it is handed over. A spent code is refused by the store.
        match permit.refusal {
            Some(refusal @ (CodeRefusal::Unknown | CodeRefusal::RecordInactive | CodeRefusal::NotTied)) => {
                return Ok(Err(PayError::Code(refusal)));
            }
            Some(CodeRefusal::Expired | CodeRefusal::Used { .. }) | None => {}
        }
        let local = self.local(Some(&permit), at);
        let payment = Payment {
            id: PaymentId::new(self.env.id(permit.code.bucket())),
            code: Some(permit.code),
            record: permit.record,
            kind: permit.kind,
            person: permit.person,
            member: permit.member,
            account: permit.account,
            merchant: request.terminal.merchant,
            store: request.terminal.store,
            terminal: request.terminal.terminal,
            order_number: request.reference.clone().unwrap_or_default(),
            scenario: permit.scenario.map(|scenario| scenario.id),
            amount: request.amount,
            subject: None,
            state: PaymentState::PaidElsewhere {
                at,
                means: request.means.clone(),
                reference: request.reference.clone(),
            },
            refunded_minor: 0,
            local_day: local.day,
            local_month: local.month,
            created_at: at,
        };
        let asked = fingerprint(&[
            request.text.as_str().as_bytes(),
            &request.amount.minor.to_be_bytes(),
            request.amount.currency.code().as_bytes(),
            request.means.as_bytes(),
            request.reference.unwrap_or_default().as_bytes(),
        ]);
        let (key, idempotency_key) = (request.terminal.key, request.idempotency_key);
        self.store
            .assert_paid(AssertCommand {
                payment,
                key,
                idempotency_key,
                fingerprint: asked,
            })
            .await
    }

    async fn change(&self, request: ChangeRequest) -> Result<Result<Changed, ChangeRefusal>> {
        let bucket = request.payment.bucket();
        let command = ChangeCommand {
            at: self.env.now_ms(),
            refund: RefundId::new(self.env.id(bucket)),
            transfer: TransferId::new(self.env.id(bucket)),
            event: EventId::new(self.env.id(bucket)),
            request,
        };
        self.store.change(command).await
    }

    async fn move_money_once(&self, request: MoveRequest) -> Result<Result<Moved, MoveRefusal>> {
        let bucket = request.credit.bucket();
        let bank = house_account(AccountKind::Bank, bucket, request.amount.currency);
        let transfer = Transfer {
            id: TransferId::new(self.env.id(bucket)),
            debit: request.debit.unwrap_or(bank),
            credit: request.credit,
            amount: request.amount,
            kind: request.kind,
            phase: Phase::Posted,
            payment: None,
            corrects: None,
            created_at: self.env.now_ms(),
        };
        let drawn = transfer.id;
        let kept = self.store.move_money(transfer, request.idempotency).await?;
        Ok(kept.map(|transfer| Moved {
            replayed: transfer.id != drawn,
            transfer,
        }))
    }

    async fn find(&self, id: PaymentId) -> Result<Option<Payment>> {
        self.store.find(id).await
    }

    async fn find_by_codes(&self, codes: Vec<CodeId>) -> Result<Vec<Option<Payment>>> {
        self.store.find_by_codes(codes).await
    }

    async fn find_by_order(&self, merchant: MerchantId, order_number: &str) -> Result<Option<Payment>> {
        self.store.find_by_order(merchant, order_number).await
    }

    async fn refunds(&self, payment: PaymentId) -> Result<Vec<Refund>> {
        self.store.list_refunds(payment).await
    }

    async fn usage(&self, keys: Vec<UsageKey>, bucket: Bucket) -> Result<Vec<UsageRow>> {
        let rows = self.store.load_usage(keys, bucket).await?;
        Ok(rows.into_iter().map(Option::unwrap_or_default).collect())
    }

    async fn open_account(&self, new: NewAccount) -> Result<Account> {
        match self.store.insert_account(&new, self.env.now_ms()).await {
            Err(error) if !error.is_taken("accounts_pkey") => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let account = self.store.find_account(new.id).await?;
        account.ok_or_else(|| PlatformError::internal("an account that was just opened is not there"))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.store.find_account(id).await
    }

    async fn transfers(&self, account: AccountId, page: Page) -> Result<Vec<Transfer>> {
        self.store.list_transfers(account, &page).await
    }

    async fn payments_of_person(&self, person: PersonId, buckets: Vec<Bucket>, page: Page) -> Result<Vec<Payment>> {
        let mut found = Vec::new();
        for bucket in buckets {
            found.extend(self.store.list_of_person(person, bucket, &page).await?);
        }
        found.sort_by_key(|payment| std::cmp::Reverse(payment.id));
        found.truncate(page.limit as usize);
        Ok(found)
    }

    async fn payments_of_record(&self, bucket: Bucket, record: &CodeRecordId, page: Page) -> Result<Vec<Payment>> {
        self.store.list_of_record(bucket, record, &page).await
    }

    async fn sales(&self, filter: SalesFilter, page: Page) -> Result<Vec<Sale>> {
        self.store.list_sales(&filter, &page).await
    }

    async fn sales_total(&self, filter: SalesFilter) -> Result<Vec<SalesTotal>> {
        self.store.sum_sales(&filter).await
    }

    async fn alarms_of_person(&self, person: PersonId, buckets: Vec<Bucket>, page: Page) -> Result<Vec<Alarm>> {
        let mut found = Vec::new();
        for bucket in buckets {
            found.extend(self.store.list_alarms_of_person(person, bucket, &page).await?);
        }
        found.sort_by_key(|alarm| std::cmp::Reverse(alarm.id));
        found.truncate(page.limit as usize);
        Ok(found)
    }

    async fn alarms(&self, page: Page) -> Result<Vec<Alarm>> {
        self.store.list_alarms(&page).await
    }

    async fn raise(&self, alarm: Alarm) -> Result<()> {
        // A repeat of a call whose answer was lost.
        match self.store.insert_alarm(&alarm).await {
            Err(error) if error.is_taken("alarms_pkey") => Ok(()),
            done => done,
        }
    }
}
