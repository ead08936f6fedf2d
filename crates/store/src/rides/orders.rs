//! Ride orders, their providers' numbers, and the orders that said otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{
    ApplicationId, ConsultationId, InstitutionId, MemberId, MerchantId, PaymentId, PersonId, RideOrderId,
};
use onescan_domain::rides::application::{FormRefusal, TravelApplication};
use onescan_domain::rides::order::{Attempt, Consulted, RideDetails, RideOrder, RidePoint, RideResult, RideState};
use onescan_platforms::error::Result;
use onescan_platforms::payments::Page;
use onescan_platforms::rides::{HistoryLine, RideConflict, Versioned, Written};

use super::applications::update_once;
use crate::decode::{id, money, opt_id, opt_parsed, parsed, wrong};
use crate::error::DbError;
use crate::ledger::LAST_ID;
use crate::payments::refusal;
use crate::sql::{Row, Value};
use crate::{Store, params, statements};

macro_rules! order_columns {
    () => {
        "id, merchant_id, number, person_id, travel_type, amount_minor, currency, start_at, start_place, start_stop, \
         start_city, end_at, end_place, end_stop, end_city, line, distance_m, companions, consultation_id, \
         application_id, why, institution_id, member_id, state, institution_payment_id, institution_minor, \
         institution_refusal, personal_payment_id, personal_minor, personal_refusal, arrears_minor, policy_version, \
         refunded_minor, created_at, changed_at, institution_refunded_minor"
    };
}

pub(super) use order_columns;

macro_rules! set_result {
    () => {
        "state = :state::text, institution_payment_id = :institution_payment::text, \
         institution_minor = :institution_minor, institution_refusal = :institution_refusal::text, \
         personal_payment_id = :personal_payment::text, personal_minor = :personal_minor, \
         personal_refusal = :personal_refusal::text, arrears_minor = :arrears, policy_version = :policy_version, \
         refunded_minor = :refunded, institution_refunded_minor = \
         case when institution_refunded_minor > :institution_refunded then institution_refunded_minor \
         else :institution_refunded end, changed_at = :changed_at where bucket = :bucket and id = :id::text"
    };
}

statements! {
    INSERT = concat!(
        "insert into ride_orders (bucket, ", order_columns!(), ") values (:bucket, :id::text, :merchant::text, \
         :number::text, :person::text, :travel_type::text, :amount, :currency::text, :start_at, :start_place::text, \
         :start_stop::text, :start_city::text, :end_at, :end_place::text, :end_stop::text, :end_city::text, \
         :line::text, :distance_m, :companions, :consultation::text, :application::text, :why::text, \
         :institution::text, :member::text, 'paying', null, null, null, null, null, null, 0, null, 0, :created_at, \
         :created_at, 0)"
    );
    INSERT_NUMBER =
        "insert into ride_numbers (bucket, merchant_id, number, order_id, fingerprint, created_at)
         values (:bucket, :merchant::text, :number::text, :order::text, :fingerprint::text, :created_at)";
    FIND_NUMBER =
        "select order_id, fingerprint from ride_numbers
         where bucket = :bucket and merchant_id = :merchant::text and number = :number::text";
    FIND = concat!("select ", order_columns!(), " from ride_orders where bucket = :bucket and id = :id::text");
    SETTLE = concat!("update ride_orders set ", set_result!(), " and state = 'paying'");
    UPDATE = concat!("update ride_orders set ", set_result!(), " and state <> 'paying'");
    LIST_OF_PERSON = concat!(
        "select ", order_columns!(), " from ride_orders
         where bucket = :bucket and person_id = :person::text and id < :after::text order by id desc limit :limit"
    );
    LIST_OF_INSTITUTION = concat!(
        "select ", order_columns!(), " from ride_orders
         where bucket = :bucket and institution_id = :institution::text and id < :after::text
         order by id desc limit :limit"
    );
    LIST_NUMBERS =
        "select order_id from ride_numbers
         where bucket = :bucket and merchant_id = :merchant::text and order_id < :after::text
         order by order_id desc limit :limit";
    SEARCH_NUMBERS =
        "select order_id from ride_numbers
         where bucket = :bucket and merchant_id = :merchant::text and number >= :search::text
         and number < :until::text order by number limit :limit";
    UNSETTLED_ALL_BUCKETS = concat!(
        "select ", order_columns!(), " from ride_orders where state = 'paying' and created_at <= :before
         order by created_at limit :limit"
    );
    INSERT_CONFLICT =
        "insert into ride_conflicts (bucket, merchant_id, number, created_at, order_id, said)
         values (:bucket, :merchant::text, :number::text, :created_at, :order::text, :said::text)
         on conflict (bucket, merchant_id, number, created_at) do update set said = excluded.said";
    LIST_CONFLICTS =
        "select number, order_id, said, created_at from ride_conflicts
         where bucket = :bucket and merchant_id = :merchant::text and number > :after::text
         order by number, created_at limit :limit";
}

impl Store {
    pub(super) async fn insert_order_row(
        &self,
        order: &RideOrder,
        fingerprint: &str,
        locked: Option<&Versioned<TravelApplication>>,
    ) -> Result<Written> {
        let number = params![
            order.provider.bucket().number(),
            order.provider.stored(),
            order.number.as_str(),
            order.id.stored(),
            fingerprint,
            order.created_at
        ];
        let input = Arc::new((insert_parameters(order), number, locked.cloned()));
        let inserting = self.db.write_with(input, |tx, input| {
            let (order, number, locked) = &**input;
            Box::pin(async move {
                if let Some(locked) = locked
                    && update_once(tx, locked, None).await? == Written::Moved
                {
                    return Ok(Written::Moved);
                }
                tx.execute_one(&INSERT_NUMBER, number.clone()).await?;
                tx.execute_one(&INSERT, order.clone()).await?;
                Ok::<_, DbError>(Written::Yes)
            })
        });
        Ok(inserting.await?)
    }

    pub(super) async fn find_number_row(
        &self,
        provider: MerchantId,
        number: &str,
    ) -> Result<Option<(RideOrderId, String)>> {
        let key = params![provider.bucket().number(), provider.stored(), number];
        let Some(mut row) = self.db.query_opt(&FIND_NUMBER, key).await? else {
            return Ok(None);
        };
        Ok(Some((id(&row, 0, RideOrderId::new)?, row.take_text(1)?)))
    }

    pub(super) async fn find_order_row(&self, id: RideOrderId) -> Result<Option<RideOrder>> {
        let row = self.db.query_opt(&FIND, order_key(&id)).await?;
        Ok(row.map(order).transpose()?)
    }

    pub(super) async fn settle_order_row(
        &self,
        order: &RideOrder,
        form: Option<&Versioned<TravelApplication>>,
        line: Option<&HistoryLine>,
    ) -> Result<Written> {
        let input = Arc::new((result_parameters(order), form.cloned(), line.cloned()));
        let settling = self.db.write_with(input, |tx, input| {
            let (result, form, line) = &**input;
            Box::pin(async move {
                // The form first, because a moved one must leave the order unsettled.
                let key = result[result.len() - 2..].to_vec();
                let standing = tx.query_opt(&FIND, key).await?;
                let paying = match standing {
                    Some(row) => matches!(self::order(row)?.state, RideState::Paying),
                    None => false,
                };
                if !paying {
                    return Ok(Written::Yes);
                }
                if let Some(form) = form
                    && update_once(tx, form, line.as_ref()).await? == Written::Moved
                {
                    return Ok(Written::Moved);
                }
                // Nothing is touched where another server was faster; with a form its version has told so before.
                tx.execute(&SETTLE, result.clone()).await?;
                Ok::<_, DbError>(Written::Yes)
            })
        });
        Ok(settling.await?)
    }

    pub(super) async fn update_order_row(&self, order: &RideOrder) -> Result<()> {
        Ok(self.change_one(&UPDATE, result_parameters(order)).await?)
    }

    pub(super) async fn list_order_rows_of_person(
        &self,
        person: PersonId,
        bucket: Bucket,
        page: &Page,
    ) -> Result<Vec<RideOrder>> {
        let after = page.after.as_deref().unwrap_or(LAST_ID);
        let parameters = params![bucket.number(), person.stored(), after, page.limit];
        let rows = self.db.query(&LIST_OF_PERSON, parameters).await?;
        Ok(rows.into_iter().map(order).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_order_rows_of_institution(
        &self,
        institution: InstitutionId,
        page: &Page,
    ) -> Result<Vec<RideOrder>> {
        let after = page.after.as_deref().unwrap_or(LAST_ID);
        let parameters = params![institution.bucket().number(), institution.stored(), after, page.limit];
        let rows = self.list_long(&LIST_OF_INSTITUTION, parameters).await?;
        Ok(rows.into_iter().map(order).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_order_rows_of_provider(
        &self,
        provider: MerchantId,
        search: &str,
        page: &Page,
    ) -> Result<Vec<RideOrder>> {
        let (bucket, merchant) = (provider.bucket().number(), provider.stored());
        let numbers = match search {
            "" => {
                let after = page.after.as_deref().unwrap_or(LAST_ID);
                let parameters = params![bucket, merchant, after, page.limit];
                self.list_long(&LIST_NUMBERS, parameters).await?
            }
            search => {
                let until = format!("{search}\u{10ffff}");
                let parameters = params![bucket, merchant, search, until, page.limit];
                self.list_long(&SEARCH_NUMBERS, parameters).await?
            }
        };
        let ids = numbers.iter().map(|row| id(row, 0, RideOrderId::new));
        let ids: Vec<RideOrderId> = ids.collect::<Result<_, DbError>>()?;
        let keys: Vec<Vec<Value>> = ids.iter().map(order_key).collect();
        let reading = self.db.read_long(move |tx| Box::pin(tx.query_each(&FIND, keys)));
        let found: Vec<Vec<Row>> = reading.await?;
        let mut orders = BTreeMap::new();
        for row in found.into_iter().flatten() {
            let order = order(row)?;
            orders.insert(order.id, order);
        }
        Ok(ids.iter().filter_map(|id| orders.remove(id)).collect())
    }

    pub(super) async fn list_unsettled_rows(&self, before: i64, limit: u32) -> Result<Vec<RideOrder>> {
        let rows = self.list_long(&UNSETTLED_ALL_BUCKETS, params![before, limit]).await?;
        Ok(rows.into_iter().map(order).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn insert_conflict_row(&self, conflict: &RideConflict) -> Result<()> {
        let row = params![
            conflict.provider.bucket().number(),
            conflict.provider.stored(),
            conflict.number.as_str(),
            conflict.at,
            conflict.order.stored(),
            conflict.said.as_str()
        ];
        Ok(self.change_one(&INSERT_CONFLICT, row).await?)
    }

    pub(super) async fn list_conflict_rows(&self, provider: MerchantId, page: &Page) -> Result<Vec<RideConflict>> {
        let after = page.after.as_deref().unwrap_or_default();
        let parameters = params![provider.bucket().number(), provider.stored(), after, page.limit];
        let rows = self.list_long(&LIST_CONFLICTS, parameters).await?;
        let read = rows.into_iter().map(|mut row| {
            Ok(RideConflict {
                provider,
                number: row.take_text(0)?,
                order: id(&row, 1, RideOrderId::new)?,
                said: row.take_text(2)?,
                at: row.int(3)?,
            })
        });
        Ok(read.collect::<Result<_, DbError>>()?)
    }
}

fn order_key(id: &RideOrderId) -> Vec<Value> {
    params![id.bucket().number(), id.stored()]
}

fn insert_parameters(order: &RideOrder) -> Vec<Value> {
    let (application, why) = match &order.consulted {
        Consulted::Institution { application } => (Some(application.stored()), None),
        Consulted::Personal { why } => (None, Some(why.name())),
    };
    let RideDetails {
        start,
        end,
        line,
        distance_m,
        companions,
    } = &order.details;
    params![
        order.id.bucket().number(),
        order.id.stored(),
        order.provider.stored(),
        order.number.as_str(),
        order.person.stored(),
        order.travel_type.as_str(),
        order.amount.minor,
        order.amount.currency.code(),
        start.at,
        start.place.as_str(),
        start.stop.as_str(),
        start.city.as_str(),
        end.at,
        end.place.as_str(),
        end.stop.as_str(),
        end.city.as_str(),
        line.as_str(),
        *distance_m,
        *companions,
        order.consultation.map(ConsultationId::stored),
        application,
        why,
        order.payer.map(|(institution, _)| institution.stored()),
        order.payer.map(|(_, member)| member.stored()),
        order.created_at
    ]
}

/// As `set_result` wants them; the last two are the key.
fn result_parameters(order: &RideOrder) -> Vec<Value> {
    let result = match &order.state {
        RideState::Paying => None,
        RideState::Settled(result) => Some(result),
    };
    let attempt = |attempt: Option<&Attempt>| {
        let payment = attempt.map(|attempt| attempt.payment.stored());
        let minor = attempt.map(|attempt| attempt.amount_minor);
        let refused = attempt.and_then(|attempt| attempt.refusal.as_ref());
        params![payment, minor, refused.map(refusal::write)]
    };
    let mut row = params![order.state.name()];
    row.extend(attempt(result.and_then(|result| result.institution.as_ref())));
    row.extend(attempt(result.and_then(|result| result.personal.as_ref())));
    row.extend(params![
        result.map_or(0, |result| result.arrears_minor),
        result.and_then(|result| result.policy_version),
        order.refunded_minor,
        order.institution_refunded_minor,
        order.changed_at
    ]);
    row.extend(order_key(&order.id));
    row
}

/// `row`: [`order_columns`].
pub(super) fn order(mut row: Row) -> Result<RideOrder, DbError> {
    let application = opt_id(&row, 19, ApplicationId::new)?;
    let why = opt_parsed(&row, 20, "refusal of a form", FormRefusal::parse)?;
    let consulted = match (application, why) {
        (Some(application), _) => Consulted::Institution { application },
        (None, Some(why)) => Consulted::Personal { why },
        (None, None) => return Err(wrong(20, "form, or why there is none")),
    };
    let institution = opt_id(&row, 21, InstitutionId::new)?;
    let member = opt_id(&row, 22, MemberId::new)?;
    let state = match row.text(23)? {
        "paying" => RideState::Paying,
        _ => RideState::Settled(RideResult {
            institution: attempt(&row, 24)?,
            personal: attempt(&row, 27)?,
            arrears_minor: row.int(30)?,
            policy_version: row.opt_int(31)?,
        }),
    };
    Ok(RideOrder {
        id: id(&row, 0, RideOrderId::new)?,
        provider: id(&row, 1, MerchantId::new)?,
        person: id(&row, 3, PersonId::new)?,
        amount: money(&row, 5, 6)?,
        number: row.take_text(2)?,
        travel_type: row.take_text(4)?,
        details: RideDetails {
            start: point(&mut row, 7)?,
            end: point(&mut row, 11)?,
            line: row.take_text(15)?,
            distance_m: row.opt_int(16)?,
            companions: row.opt_int(17)?,
        },
        consultation: opt_id(&row, 18, ConsultationId::new)?,
        consulted,
        payer: institution.zip(member),
        state,
        refunded_minor: row.int(32)?,
        created_at: row.int(33)?,
        changed_at: row.int(34)?,
        institution_refunded_minor: row.int(35)?,
    })
}

fn point(row: &mut Row, first: usize) -> Result<RidePoint, DbError> {
    Ok(RidePoint {
        at: row.int(first)?,
        place: row.take_text(first + 1)?,
        stop: row.take_text(first + 2)?,
        city: row.take_text(first + 3)?,
    })
}

fn attempt(row: &Row, first: usize) -> Result<Option<Attempt>, DbError> {
    let Some(payment) = opt_id(row, first, PaymentId::new)? else {
        return Ok(None);
    };
    Ok(Some(Attempt {
        payment,
        amount_minor: row.int(first + 1)?,
        refusal: match row.opt_text(first + 2)? {
            None => None,
            Some(_) => Some(parsed(row, first + 2, "refusal", refusal::read)?),
        },
    }))
}
