//! Applications, their history, and consultations. A row changes only from the version that was read.

use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{ApplicationId, ConsultationId, InstitutionId, MemberId, MerchantId, PersonId, TravelTypeId};
use onescan_domain::rides::application::{
    ApplicationState, Approver, FormLock, FormRefusal, InstitutionPayment, Release, RideAllowance, TravelApplication,
};
use onescan_platforms::error::Result;
use onescan_platforms::payments::Page;
use onescan_platforms::rides::{Consultation, HistoryLine, Versioned, Waiting, Written};

use crate::decode::{id, opt_id, opt_parsed, wrong};
use crate::error::DbError;
use crate::ledger::LAST_ID;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

macro_rules! application_columns {
    () => {
        "id, institution_id, member_id, person_id, travel_type_id, type_code, purpose, cost_centre, cities, fields, \
         rides_allowed, valid_from, valid_until, switched_on, state, state_at, state_by, reason, rides_used, \
         lock_holder, lock_until, version, created_at"
    };
}

statements! {
    INSERT = concat!(
        "insert into travel_applications (bucket, ", application_columns!(), ") values (:bucket, :id::text, \
         :institution::text, :member::text, :person::text, :travel_type::text, :type_code::text, :purpose::text, \
         :cost_centre::text, :cities::text, :fields::text, :rides, :valid_from, :valid_until, :switched_on, \
         :state::text, :state_at, :state_by::text, :reason::text, :rides_used, :lock_holder::text, :lock_until, 1, \
         :created_at)"
    );
    UPDATE =
        "update travel_applications set switched_on = :switched_on, state = :state::text, state_at = :state_at,
         state_by = :state_by::text, reason = :reason::text, rides_used = :rides_used,
         lock_holder = :lock_holder::text, lock_until = :lock_until, version = version + 1
         where bucket = :bucket and id = :id::text and version = :version";
    FIND = concat!(
        "select ", application_columns!(), " from travel_applications where bucket = :bucket and id = :id::text"
    );
    LIST_OF_PERSON = concat!(
        "select ", application_columns!(), " from travel_applications
         where bucket = :bucket and person_id = :person::text and id < :after::text order by id desc limit :limit"
    );
    LIST_OF_INSTITUTION = concat!(
        "select ", application_columns!(), " from travel_applications
         where bucket = :bucket and institution_id = :institution::text and id < :after::text
         order by id desc limit :limit"
    );
    LIST_WAITING = concat!(
        "select ", application_columns!(), " from travel_applications
         where bucket = :bucket and institution_id = :institution::text and state = 'waiting' and id < :after::text
         order by id desc limit :limit"
    );
    OVERDUE_ALL_BUCKETS = concat!(
        "select ", application_columns!(), " from travel_applications
         where (state = 'approved' or state = 'waiting') and valid_until <= :now order by valid_until limit :limit"
    );
    INSERT_HISTORY =
        "insert into travel_history (bucket, application_id, version, at, actor, what, note)
         values (:bucket, :application::text, :version, :at, :actor::text, :what::text, :note::text)";
    LIST_HISTORY =
        "select at, actor, what, note from travel_history
         where bucket = :bucket and application_id = :application::text order by version";
    INSERT_CONSULTATION =
        "insert into ride_consultations (bucket, id, merchant_id, person_id, travel_type, application_id, why,
         created_at) values (:bucket, :id::text, :merchant::text, :person::text, :travel_type::text,
         :application::text, :why::text, :created_at)";
    FIND_CONSULTATION =
        "select merchant_id, person_id, travel_type, application_id, why, created_at from ride_consultations
         where bucket = :bucket and id = :id::text";
}

impl Store {
    pub(super) async fn insert_application_row(
        &self,
        application: &TravelApplication,
        line: &HistoryLine,
    ) -> Result<()> {
        let first = Versioned {
            value: application.clone(),
            version: 0,
        };
        let calls = (insert_parameters(application), history_parameters(line, &first));
        let inserting = self.db.write_with(calls, |tx, (application, line)| {
            let calls = vec![
                Call::one(&INSERT, application.clone()),
                Call::one(&INSERT_HISTORY, line.clone()),
            ];
            Box::pin(async move { tx.execute_all(calls).await })
        });
        Ok(inserting.await.map(drop)?)
    }

    pub(super) async fn find_application_row(&self, id: ApplicationId) -> Result<Option<Versioned<TravelApplication>>> {
        let key = params![id.bucket().number(), id.stored()];
        let row = self.db.query_opt(&FIND, key).await?;
        Ok(row.map(application).transpose()?)
    }

    pub(super) async fn update_application_row(
        &self,
        application: &Versioned<TravelApplication>,
        line: Option<&HistoryLine>,
    ) -> Result<Written> {
        let input = Arc::new((application.clone(), line.cloned()));
        let updating = self.db.write_with(input, |tx, input| {
            let (application, line) = &**input;
            Box::pin(async move { update_once(tx, application, line.as_ref()).await })
        });
        Ok(updating.await?)
    }

    pub(super) async fn list_application_rows(
        &self,
        bucket: Bucket,
        person: PersonId,
        page: &Page,
    ) -> Result<Vec<Versioned<TravelApplication>>> {
        let after = page.after.as_deref().unwrap_or(LAST_ID);
        let parameters = params![bucket.number(), person.stored(), after, page.limit];
        let rows = self.db.query(&LIST_OF_PERSON, parameters).await?;
        Ok(rows.into_iter().map(application).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_application_rows_of(
        &self,
        institution: InstitutionId,
        waiting: Waiting,
        page: &Page,
    ) -> Result<Vec<TravelApplication>> {
        let statement = match waiting {
            Waiting::Only => &LIST_WAITING,
            Waiting::All => &LIST_OF_INSTITUTION,
        };
        let after = page.after.as_deref().unwrap_or(LAST_ID);
        let parameters = params![institution.bucket().number(), institution.stored(), after, page.limit];
        let rows = self.list_long(statement, parameters).await?;
        let read = rows.into_iter().map(|row| Ok(application(row)?.value));
        Ok(read.collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_history_rows(&self, of: ApplicationId) -> Result<Vec<HistoryLine>> {
        let key = params![of.bucket().number(), of.stored()];
        let rows = self.db.query(&LIST_HISTORY, key).await?;
        let read = rows.into_iter().map(|mut row| {
            Ok(HistoryLine {
                application: of,
                at: row.int(0)?,
                actor: row.take_text(1)?,
                what: row.take_text(2)?,
                note: row.take_opt_text(3)?,
            })
        });
        Ok(read.collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_overdue_rows(&self, now: i64, limit: u32) -> Result<Vec<Versioned<TravelApplication>>> {
        let rows = self.list_long(&OVERDUE_ALL_BUCKETS, params![now, limit]).await?;
        Ok(rows.into_iter().map(application).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn insert_consultation_row(
        &self,
        consultation: &Consultation,
        locked: Option<&Versioned<TravelApplication>>,
    ) -> Result<Written> {
        let row = params![
            consultation.id.bucket().number(),
            consultation.id.stored(),
            consultation.provider.stored(),
            consultation.person.stored(),
            consultation.travel_type.as_str(),
            consultation.application.map(ApplicationId::stored),
            consultation.why.map(FormRefusal::name),
            consultation.at
        ];
        let input = Arc::new((row, locked.cloned()));
        let inserting = self.db.write_with(input, |tx, input| {
            let (row, locked) = &**input;
            Box::pin(async move {
                if let Some(locked) = locked
                    && update_once(tx, locked, None).await? == Written::Moved
                {
                    return Ok(Written::Moved);
                }
                tx.execute_one(&INSERT_CONSULTATION, row.clone()).await?;
                Ok::<_, DbError>(Written::Yes)
            })
        });
        Ok(inserting.await?)
    }

    pub(super) async fn find_consultation_row(&self, of: ConsultationId) -> Result<Option<Consultation>> {
        let key = params![of.bucket().number(), of.stored()];
        let Some(mut row) = self.db.query_opt(&FIND_CONSULTATION, key).await? else {
            return Ok(None);
        };
        Ok(Some(Consultation {
            id: of,
            provider: id(&row, 0, MerchantId::new)?,
            person: id(&row, 1, PersonId::new)?,
            travel_type: row.take_text(2)?,
            application: opt_id(&row, 3, ApplicationId::new)?,
            why: opt_parsed(&row, 4, "refusal of a form", FormRefusal::parse)?,
            at: row.int(5)?,
        }))
    }
}

/// Writes what of an application changes, where its version is still the one that was read, and a line of history.
pub(super) async fn update_once(
    tx: &mut Tx,
    application: &Versioned<TravelApplication>,
    line: Option<&HistoryLine>,
) -> Result<Written, DbError> {
    let mut row = changing(&application.value);
    row.extend(params![
        application.value.id.bucket().number(),
        application.value.id.stored(),
        application.version
    ]);
    if tx.execute(&UPDATE, row).await? == 0 {
        return Ok(Written::Moved);
    }
    if let Some(line) = line {
        tx.execute_one(&INSERT_HISTORY, history_parameters(line, application))
            .await?;
    }
    Ok(Written::Yes)
}

/// `before`: the version that the line's change was based on.
fn history_parameters(line: &HistoryLine, before: &Versioned<TravelApplication>) -> Vec<Value> {
    params![
        line.application.bucket().number(),
        line.application.stored(),
        before.version + 1,
        line.at,
        line.actor.as_str(),
        line.what.as_str(),
        line.note.as_deref()
    ]
}

fn insert_parameters(application: &TravelApplication) -> Vec<Value> {
    let fields = application
        .fields
        .iter()
        .map(|(name, value)| format!("{name}\t{value}"));
    let rides = match application.allowance {
        RideAllowance::Rides(rides) => Some(rides),
        RideAllowance::Standing => None,
    };
    let mut row = params![
        application.id.bucket().number(),
        application.id.stored(),
        application.institution.stored(),
        application.member.stored(),
        application.person.stored(),
        application.travel_type.stored(),
        application.type_code.as_str(),
        application.purpose.as_str(),
        application.cost_centre.as_deref(),
        application.cities.join("\n"),
        fields.collect::<Vec<_>>().join("\n"),
        rides,
        application.valid_from,
        application.valid_until
    ];
    row.extend(changing(application));
    row.push(Value::from(application.created_at));
    row
}

/// Switch, state, rides used and lock, in the order of both statements.
fn changing(application: &TravelApplication) -> Vec<Value> {
    let (at, by, reason) = match &application.state {
        ApplicationState::Waiting { delegated } => {
            (application.created_at, delegated.map(|person| person.to_string()), None)
        }
        ApplicationState::Approved { by, at } => (*at, Some(write_approver(*by)), None),
        ApplicationState::Refused { by, reason, at } => (*at, Some(write_approver(*by)), Some(reason.as_str())),
        ApplicationState::Withdrawn { at } | ApplicationState::Released { at, .. } => (*at, None, None),
    };
    params![
        i64::from(application.switch == InstitutionPayment::On),
        application.state.name(),
        at,
        by,
        reason,
        application.rides_used,
        application.lock.as_ref().map(|lock| lock.holder.clone()),
        application.lock.as_ref().map(|lock| lock.until)
    ]
}

fn write_approver(approver: Approver) -> String {
    match approver {
        Approver::Nobody => "nobody".to_owned(),
        Approver::Rule => "rule".to_owned(),
        Approver::Program => "program".to_owned(),
        Approver::Person(person) => person.to_string(),
    }
}

fn read_approver(text: &str) -> Option<Approver> {
    Some(match text {
        "nobody" => Approver::Nobody,
        "rule" => Approver::Rule,
        "program" => Approver::Program,
        person => Approver::Person(person.parse().ok()?),
    })
}

/// `row`: [`application_columns`].
fn application(mut row: Row) -> Result<Versioned<TravelApplication>, DbError> {
    let lines = |text: String| {
        text.split('\n')
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let cities: Vec<String> = lines(row.take_text(8)?);
    let fields: Vec<String> = lines(row.take_text(9)?);
    let fields = fields.into_iter().map(|line| {
        let pair = line.split_once('\t').ok_or_else(|| wrong(9, "field and value"))?;
        Ok((pair.0.to_owned(), pair.1.to_owned()))
    });
    let fields = fields.collect::<Result<_, DbError>>()?;
    let lock = match (row.take_opt_text(19)?, row.opt_int(20)?) {
        (Some(holder), Some(until)) => Some(FormLock { holder, until }),
        _ => None,
    };
    let state = state(&mut row)?;
    let value = TravelApplication {
        id: id(&row, 0, ApplicationId::new)?,
        institution: id(&row, 1, InstitutionId::new)?,
        member: id(&row, 2, MemberId::new)?,
        person: id(&row, 3, PersonId::new)?,
        travel_type: id(&row, 4, TravelTypeId::new)?,
        type_code: row.take_text(5)?,
        purpose: row.take_text(6)?,
        cost_centre: row.take_opt_text(7)?,
        cities,
        fields,
        allowance: row.opt_int(10)?.map_or(RideAllowance::Standing, RideAllowance::Rides),
        valid_from: row.int(11)?,
        valid_until: row.int(12)?,
        switch: match row.flag(13)? {
            true => InstitutionPayment::On,
            false => InstitutionPayment::Off,
        },
        state,
        rides_used: row.int(18)?,
        lock,
        created_at: row.int(22)?,
    };
    let version = row.int(21)?;
    Ok(Versioned { value, version })
}

fn state(row: &mut Row) -> Result<ApplicationState, DbError> {
    let at = row.int(15)?;
    let by = |row: &Row| opt_parsed(row, 16, "approver", read_approver)?.ok_or_else(|| wrong(16, "approver"));
    Ok(match row.text(14)? {
        "waiting" => ApplicationState::Waiting {
            delegated: opt_parsed(row, 16, "person", |text| text.parse().ok())?,
        },
        "approved" => ApplicationState::Approved { by: by(row)?, at },
        "refused" => ApplicationState::Refused {
            by: by(row)?,
            reason: row.take_text(17)?,
            at,
        },
        "withdrawn" => ApplicationState::Withdrawn { at },
        "used" => ApplicationState::Released { why: Release::Used, at },
        "expired" => ApplicationState::Released {
            why: Release::Expired,
            at,
        },
        _ => return Err(wrong(14, "state of an application")),
    })
}
