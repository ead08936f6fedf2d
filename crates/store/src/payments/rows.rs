//! Payments, refunds and counters as rows. The order of the columns stands here once.

use std::collections::BTreeMap;

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeKind;
use onescan_domain::ids::{
    AccountId, CodeId, MemberId, MerchantId, PaymentId, PersonId, RefundId, ScenarioId, StoreId, TerminalId, TransferId,
};
use onescan_domain::payments::batch::{UsageKey, UsageRow};
use onescan_domain::payments::{Payment, PaymentRefusal, PaymentState, Refund};
use onescan_domain::policy::Usage;

use super::refusal;
use crate::decode::{id, money, opt_id, parsed, record_id, wrong};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::{params, statements};

/// What [`payment`] reads, in its order.
macro_rules! payment_columns {
    () => {
        payment_columns!("")
    };
    // `$of`: the table's name in the statement with its point.
    ($of:literal) => {
        concat!(
            $of,
            "id, ",
            $of,
            "code_id, ",
            $of,
            "record_id, ",
            $of,
            "kind, ",
            $of,
            "person_id, ",
            $of,
            "member_id, ",
            $of,
            "account_id, ",
            $of,
            "merchant_id, ",
            $of,
            "store_id, ",
            $of,
            "terminal_id, ",
            $of,
            "order_number, ",
            $of,
            "scenario_id, ",
            $of,
            "amount_minor, ",
            $of,
            "currency, ",
            $of,
            "subject, ",
            $of,
            "state, ",
            $of,
            "state_at, ",
            $of,
            "transfer_id, ",
            $of,
            "hold_until, ",
            $of,
            "means, ",
            $of,
            "reference, ",
            $of,
            "refusal, ",
            $of,
            "refunded_minor, ",
            $of,
            "local_day, ",
            $of,
            "local_month, ",
            $of,
            "created_at"
        )
    };
}
pub(super) use payment_columns;

/// What [`refund`] reads, in its order.
macro_rules! refund_columns {
    () => {
        "id, payment_id, number, amount_minor, currency, reason, transfer_id, created_at"
    };
}
pub(super) use refund_columns;

/// What [`usage`] reads, in its order.
macro_rules! usage_columns {
    () => {
        "day, day_minor, day_count, month, month_minor, month_count, week_minor, week_count, quarter_minor, \
         quarter_count, year_minor, year_count"
    };
}
pub(super) use usage_columns;

statements! {
    pub(super) INSERT_PAYMENT = concat!(
        "insert into payments (bucket, ", payment_columns!(), ", previous_id) values (:bucket, :id::text, :code::text, \
         :record::text, :kind::text, :person::text, :member::text, :account::text, :merchant::text, :store::text, \
         :terminal::text, :order_number::text, :scenario::text, :amount, :currency::text, :subject::text, \
         :state::text, :state_at, :transfer::text, :hold_until, :means::text, :reference::text, :refusal::text, \
         :refunded, :local_day, :local_month, :created_at, :previous::text)"
    );
    pub(super) PAYMENT = concat!(
        "select ", payment_columns!(), " from payments where bucket = :bucket and id = :id::text"
    );
    pub(super) PAYMENT_OF_CODE = concat!(
        "select ", payment_columns!(), " from payments where bucket = :bucket and code_id = :code::text"
    );
    pub(super) USAGE = concat!(
        "select ", usage_columns!(), " from usage_counters where bucket = :bucket and record_id = :record::text
         and scenario_id = :scenario::text and person_id = :person::text"
    );
    pub(super) LOCK_USAGE = concat!(
        "select ", usage_columns!(), " from usage_counters where bucket = :bucket and record_id = :record::text
         and scenario_id = :scenario::text and person_id = :person::text {for update}"
    );
    pub(super) OWN_USAGE = "select counters from accounts where bucket = :bucket and id = :account::text";
    pub(super) LOCK_OWN_USAGE =
        "select counters from accounts where bucket = :bucket and id = :account::text {for update}";
    pub(super) PUT_OWN_USAGE =
        "update accounts set counters = :counters::text where bucket = :bucket and id = :account::text";
    pub(super) PUT_USAGE = concat!(
        "insert into usage_counters (bucket, record_id, scenario_id, person_id, ", usage_columns!(), ")
         values (:bucket, :record::text, :scenario::text, :person::text, :day, :day_minor, :day_count, :month, \
         :month_minor, :month_count, :week_minor, :week_count, :quarter_minor, :quarter_count, :year_minor, :year_count)
         on conflict (bucket, record_id, scenario_id, person_id) do update set day = excluded.day,
         day_minor = excluded.day_minor, day_count = excluded.day_count, month = excluded.month,
         month_minor = excluded.month_minor, month_count = excluded.month_count, week_minor = excluded.week_minor,
         week_count = excluded.week_count, quarter_minor = excluded.quarter_minor,
         quarter_count = excluded.quarter_count, year_minor = excluded.year_minor, year_count = excluded.year_count"
    );
}

/// What a person's own account keeps beside its balance: the counters of the person's own code by scenario, so that a
/// payment changes one row of its payer. In the column a line a scenario: its id, then what [`usage_columns`] names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnCounters(pub(super) BTreeMap<ScenarioId, UsageRow>);

impl OwnCounters {
    /// `row`: of [`OWN_USAGE`] or [`LOCK_OWN_USAGE`].
    pub(super) fn of(row: Option<Row>) -> Result<Self, DbError> {
        let text = row.map(|mut row| row.take_opt_text(0)).transpose()?.flatten();
        Self::parse(text.as_deref().unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Result<Self, DbError> {
        let lines = text
            .lines()
            .map(|line| Self::line(line).ok_or_else(|| wrong(0, "counters")));
        lines.collect::<Result<_, _>>().map(Self)
    }

    fn line(line: &str) -> Option<(ScenarioId, UsageRow)> {
        let (scenario, numbers) = line.split_once(' ')?;
        let scenario = ScenarioId::from_stored(scenario).ok()?;
        let mut numbers = numbers.split(' ').map(str::parse::<i64>);
        let mut next = || numbers.next()?.ok();
        let mut row = UsageRow {
            day: next()?.try_into().ok()?,
            ..UsageRow::default()
        };
        (row.used.day_minor, row.used.day_count) = (next()?, next()?);
        row.month = next()?.try_into().ok()?;
        let used = &mut row.used;
        (used.month_minor, used.month_count) = (next()?, next()?);
        (used.week_minor, used.week_count) = (next()?, next()?);
        (used.quarter_minor, used.quarter_count) = (next()?, next()?);
        (used.year_minor, used.year_count) = (next()?, next()?);
        Some((scenario, row))
    }

    /// Without the scenarios that were last paid in more than a year before another: they count for nothing any more.
    pub(super) fn text(&self) -> String {
        use std::fmt::Write;
        let newest = self.0.values().map(|row| row.month).max().unwrap_or_default();
        let live = self.0.iter().filter(|(_, row)| newest - row.month <= 12);
        let mut text = String::with_capacity(96 * self.0.len());
        for (scenario, UsageRow { day, month, used }) in live {
            writeln!(
                text,
                "{} {day} {} {} {month} {} {} {} {} {} {} {} {}",
                scenario.stored(),
                used.day_minor,
                used.day_count,
                used.month_minor,
                used.month_count,
                used.week_minor,
                used.week_count,
                used.quarter_minor,
                used.quarter_count,
                used.year_minor,
                used.year_count
            )
            .expect("writing to a String cannot fail");
        }
        text
    }
}

/// `row`: [`payment_columns`].
pub(super) fn payment(mut row: Row) -> Result<Payment, DbError> {
    let state = payment_state(&mut row)?;
    Ok(Payment {
        id: id(&row, 0, PaymentId::new)?,
        code: opt_id(&row, 1, CodeId::new)?,
        record: record_id(&mut row, 2)?,
        kind: parsed(&row, 3, "kind of code", CodeKind::parse)?,
        person: id(&row, 4, PersonId::new)?,
        member: opt_id(&row, 5, MemberId::new)?,
        account: id(&row, 6, AccountId::new)?,
        merchant: id(&row, 7, MerchantId::new)?,
        store: id(&row, 8, StoreId::new)?,
        terminal: id(&row, 9, TerminalId::new)?,
        order_number: row.take_text(10)?,
        scenario: opt_id(&row, 11, ScenarioId::new)?,
        amount: money(&row, 12, 13)?,
        subject: row.take_opt_text(14)?,
        state,
        refunded_minor: row.int(22)?,
        local_day: row.number(23)?,
        local_month: row.number(24)?,
        created_at: row.int(25)?,
    })
}

fn payment_state(row: &mut Row) -> Result<PaymentState, DbError> {
    let at = row.int(16)?;
    Ok(match row.text(15)? {
        "authorised" => PaymentState::Authorised {
            hold: id(row, 17, TransferId::new)?,
            until: row.int(18)?,
        },
        "paid" => PaymentState::Paid {
            at,
            transfer: id(row, 17, TransferId::new)?,
        },
        "paid_elsewhere" => PaymentState::PaidElsewhere {
            at,
            means: row.take_text(19)?,
            reference: row.take_opt_text(20)?,
        },
        "refused" => PaymentState::Refused {
            at,
            refusal: parsed(row, 21, "refusal", refusal::read)?,
        },
        "voided" => PaymentState::Voided { at },
        "expired" => PaymentState::Expired { at },
        "reversed" => PaymentState::Reversed {
            at,
            transfer: id(row, 17, TransferId::new)?,
        },
        _ => return Err(wrong(15, "state of a payment")),
    })
}

/// The columns that a state consists of.
pub(super) struct StateColumns<'s> {
    pub at: i64,
    pub transfer: Option<TransferId>,
    pub hold_until: Option<i64>,
    pub means: Option<&'s str>,
    pub reference: Option<&'s str>,
    pub refusal: Option<&'s PaymentRefusal>,
}

/// `created_at` stands for the instant of a state that does not know its own.
pub(super) fn state_columns(state: &PaymentState, created_at: i64) -> StateColumns<'_> {
    let mut columns = StateColumns {
        at: created_at,
        transfer: None,
        hold_until: None,
        means: None,
        reference: None,
        refusal: None,
    };
    match state {
        PaymentState::Authorised { hold, until } => {
            columns.transfer = Some(*hold);
            columns.hold_until = Some(*until);
        }
        PaymentState::Paid { at, transfer } | PaymentState::Reversed { at, transfer } => {
            columns.at = *at;
            columns.transfer = Some(*transfer);
        }
        PaymentState::PaidElsewhere { at, means, reference } => {
            columns.at = *at;
            columns.means = Some(means);
            columns.reference = reference.as_deref();
        }
        PaymentState::Refused { at, refusal } => {
            columns.at = *at;
            columns.refusal = Some(refusal);
        }
        PaymentState::Voided { at } | PaymentState::Expired { at } => columns.at = *at,
    }
    columns
}

/// The bucket, then [`payment_columns`], then the payment before it on the person's own account.
pub(super) fn payment_parameters(payment: &Payment, previous: Option<PaymentId>) -> Vec<Value> {
    let state = state_columns(&payment.state, payment.created_at);
    params![
        payment.id.bucket().number(),
        payment.id.stored(),
        payment.code.map(CodeId::stored),
        payment.record.as_str(),
        payment.kind.name(),
        payment.person.stored(),
        payment.member.map(MemberId::stored),
        payment.account.stored(),
        payment.merchant.stored(),
        payment.store.stored(),
        payment.terminal.stored(),
        payment.order_number.as_str(),
        payment.scenario.map(ScenarioId::stored),
        payment.amount.minor,
        payment.amount.currency.code(),
        payment.subject.as_deref(),
        payment.state.name(),
        state.at,
        state.transfer.map(TransferId::stored),
        state.hold_until,
        state.means,
        state.reference,
        state.refusal.map(refusal::write),
        payment.refunded_minor,
        payment.local_day,
        payment.local_month,
        payment.created_at,
        previous.map(PaymentId::stored),
    ]
}

/// `row`: [`refund_columns`].
pub(super) fn refund(mut row: Row) -> Result<Refund, DbError> {
    Ok(Refund {
        id: id(&row, 0, RefundId::new)?,
        payment: id(&row, 1, PaymentId::new)?,
        number: row.take_text(2)?,
        amount: money(&row, 3, 4)?,
        reason: row.take_opt_text(5)?,
        transfer: id(&row, 6, TransferId::new)?,
        created_at: row.int(7)?,
    })
}

/// The bucket, then [`refund_columns`].
pub(super) fn refund_parameters(refund: &Refund) -> Vec<Value> {
    params![
        refund.payment.bucket().number(),
        refund.id.stored(),
        refund.payment.stored(),
        refund.number.as_str(),
        refund.amount.minor,
        refund.amount.currency.code(),
        refund.reason.as_deref(),
        refund.transfer.stored(),
        refund.created_at,
    ]
}

/// `row`: [`usage_columns`].
pub(super) fn usage(row: &Row) -> Result<UsageRow, DbError> {
    Ok(UsageRow {
        day: row.number(0)?,
        month: row.number(3)?,
        used: Usage {
            day_minor: row.int(1)?,
            day_count: row.int(2)?,
            month_minor: row.int(4)?,
            month_count: row.int(5)?,
            week_minor: row.int(6)?,
            week_count: row.int(7)?,
            quarter_minor: row.int(8)?,
            quarter_count: row.int(9)?,
            year_minor: row.int(10)?,
            year_count: row.int(11)?,
        },
    })
}

pub(super) fn usage_parameters(bucket: Bucket, key: &UsageKey, row: &UsageRow) -> Vec<Value> {
    let mut parameters = usage_key(bucket, key);
    parameters.extend(usage_values(row));
    parameters
}

/// [`usage_columns`].
pub(super) fn usage_values(row: &UsageRow) -> Vec<Value> {
    params![
        row.day,
        row.used.day_minor,
        row.used.day_count,
        row.month,
        row.used.month_minor,
        row.used.month_count,
        row.used.week_minor,
        row.used.week_count,
        row.used.quarter_minor,
        row.used.quarter_count,
        row.used.year_minor,
        row.used.year_count
    ]
}

pub(super) fn usage_key(bucket: Bucket, key: &UsageKey) -> Vec<Value> {
    params![
        bucket.number(),
        key.record.as_str(),
        key.scenario.stored(),
        key.person.stored()
    ]
}

#[cfg(test)]
mod tests {

    use onescan_domain::bucket::Bucket;
    use onescan_domain::codes::CodeRecordId;
    use onescan_domain::ids::RawId;
    use onescan_domain::money::{Currency, Money};

    use super::*;

    fn raw(number: i64) -> RawId {
        RawId::from_parts(number, Bucket::new(9).unwrap(), number as u128)
    }

    #[test]
    fn an_account_s_counters_come_back_as_they_were_written() {
        let row = |month: i32| UsageRow {
            day: month * 30,
            month,
            used: Usage {
                day_minor: 1,
                day_count: 2,
                month_minor: 3,
                month_count: 4,
                week_minor: 5,
                week_count: 6,
                quarter_minor: 7,
                quarter_count: 8,
                year_minor: 9,
                year_count: 10,
            },
        };
        let scenario = |number| ScenarioId::new(raw(number));
        let own = OwnCounters([(scenario(1), row(24_300)), (scenario(2), row(24_312))].into());
        assert_eq!(OwnCounters::parse(&own.text()).unwrap(), own);
        let newer = OwnCounters([(scenario(1), row(24_300)), (scenario(2), row(24_313))].into());
        let kept = OwnCounters::parse(&newer.text()).unwrap();
        assert_eq!(
            kept.0.into_keys().collect::<Vec<_>>(),
            [scenario(2)],
            "a year and more ago"
        );
        assert_eq!(OwnCounters::parse("").unwrap(), OwnCounters::default());
        OwnCounters::parse("nonsense").unwrap_err();
    }

    #[test]
    fn a_payment_in_every_state_is_read_back_equal() {
        let (at, transfer) = (7_000, TransferId::new(raw(4)));
        let states = [
            PaymentState::Authorised {
                hold: transfer,
                until: 9_000,
            },
            PaymentState::Paid { at, transfer },
            PaymentState::PaidElsewhere {
                at,
                means: "cash".to_owned(),
                reference: Some("till 3".to_owned()),
            },
            PaymentState::PaidElsewhere {
                at,
                means: "card".to_owned(),
                reference: None,
            },
            PaymentState::Refused {
                at,
                refusal: PaymentRefusal::InsufficientFunds,
            },
            PaymentState::Voided { at },
            PaymentState::Expired { at },
            PaymentState::Reversed { at, transfer },
        ];
        for state in states {
            let written = Payment {
                id: PaymentId::new(raw(1)),
                code: Some(CodeId::new(raw(2))),
                record: CodeRecordId::from_stored("record"),
                kind: CodeKind::Institution,
                person: PersonId::new(raw(3)),
                member: Some(MemberId::new(raw(5))),
                account: AccountId::new(raw(6)),
                merchant: MerchantId::new(raw(7)),
                store: StoreId::new(raw(8)),
                terminal: TerminalId::new(raw(9)),
                order_number: "A-1".to_owned(),
                scenario: None,
                amount: Money::new(700, Currency::CNY),
                subject: Some("午餐".to_owned()),
                state,
                refunded_minor: 3,
                local_day: 20_000,
                local_month: 657,
                created_at: 6_000,
            };
            let mut columns = payment_parameters(&written, None).split_off(1);
            assert_eq!(columns.pop(), Some(Value::Null));
            assert_eq!(payment(Row::new(columns)), Ok(written));
        }
    }
}
