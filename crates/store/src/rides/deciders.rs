//! Institutions that decide themselves, and what they answered.

use onescan_domain::ids::InstitutionId;
use onescan_domain::rides::decision::{Otherwise, RideDecision};
use onescan_platforms::error::Result;
use onescan_platforms::rides::decider::{Decided, Decider, QuestionKind};

use crate::decode::{id, parsed};
use crate::error::DbError;
use crate::sql::Row;
use crate::{Store, params, statements};

macro_rules! decision_columns {
    () => {
        "subject, institution_id, kind, decision, otherwise, took_ms, created_at"
    };
}

statements! {
    PUT_DECIDER =
        "insert into ride_deciders (bucket, institution_id, url, otherwise, secret_number, secret_at, changed_at)
         values (:bucket, :institution::text, :url::text, :otherwise::text, :secret_number, :secret_at, :changed_at)
         on conflict (bucket, institution_id) do update set url = excluded.url, otherwise = excluded.otherwise,
         secret_number = excluded.secret_number, secret_at = excluded.secret_at, changed_at = excluded.changed_at";
    FIND_DECIDER =
        "select url, otherwise, secret_number, secret_at, changed_at from ride_deciders
         where bucket = :bucket and institution_id = :institution::text";
    DELETE_DECIDER = "delete from ride_deciders where bucket = :bucket and institution_id = :institution::text";
    INSERT_DECISION = concat!(
        "insert into ride_decisions (bucket, ", decision_columns!(), ") values (:bucket, :subject::text, \
         :institution::text, :kind::text, :decision::text, :otherwise::text, :took_ms, :created_at)
         on conflict (bucket, subject) do nothing"
    );
    FIND_DECISION = concat!(
        "select ", decision_columns!(), " from ride_decisions where bucket = :bucket and subject = :subject::text"
    );
    LIST_DECISIONS = concat!(
        "select ", decision_columns!(), " from ride_decisions
         where bucket = :bucket and institution_id = :institution::text order by created_at desc limit :limit"
    );
}

impl Store {
    pub(super) async fn put_decider_row(&self, decider: &Decider) -> Result<()> {
        let row = params![
            decider.institution.bucket().number(),
            decider.institution.stored(),
            decider.url.as_str(),
            decider.otherwise.name(),
            decider.secret_number,
            decider.secret_at,
            decider.changed_at
        ];
        Ok(self.change_one(&PUT_DECIDER, row).await?)
    }

    pub(super) async fn find_decider_row(&self, institution: InstitutionId) -> Result<Option<Decider>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let Some(mut row) = self.db.query_opt(&FIND_DECIDER, key).await? else {
            return Ok(None);
        };
        Ok(Some(Decider {
            institution,
            url: row.take_text(0)?,
            otherwise: parsed(&row, 1, "default", Otherwise::parse)?,
            secret_number: row.int(2)?,
            secret_at: row.int(3)?,
            changed_at: row.int(4)?,
        }))
    }

    pub(super) async fn delete_decider_row(&self, institution: InstitutionId) -> Result<bool> {
        let key = params![institution.bucket().number(), institution.stored()];
        let deleting = self
            .db
            .write_with(key, |tx, key| Box::pin(tx.execute(&DELETE_DECIDER, key.clone())));
        let deleted: u64 = deleting.await?;
        Ok(deleted == 1)
    }

    /// Returns the one that stands.
    pub(super) async fn insert_decision_row(&self, decided: &Decided) -> Result<Decided> {
        let bucket = decided.institution.bucket().number();
        let row = params![
            bucket,
            decided.subject.as_str(),
            decided.institution.stored(),
            decided.kind.name(),
            decided.decision.text(),
            decided.otherwise.name(),
            decided.took_ms,
            decided.at
        ];
        let key = params![bucket, decided.subject.as_str()];
        let inserting = self.db.write_with((row, key), |tx, (row, key)| {
            Box::pin(async move {
                tx.execute(&INSERT_DECISION, row.clone()).await?;
                decision(tx.query_one(&FIND_DECISION, key.clone()).await?)
            })
        });
        Ok(inserting.await?)
    }

    pub(super) async fn find_decision_row(&self, institution: InstitutionId, subject: &str) -> Result<Option<Decided>> {
        let key = params![institution.bucket().number(), subject];
        let row = self.db.query_opt(&FIND_DECISION, key).await?;
        Ok(row.map(decision).transpose()?)
    }

    pub(super) async fn list_decision_rows(&self, institution: InstitutionId, limit: u32) -> Result<Vec<Decided>> {
        let key = params![institution.bucket().number(), institution.stored(), limit];
        let rows = self.list_long(&LIST_DECISIONS, key).await?;
        Ok(rows.into_iter().map(decision).collect::<Result<_, DbError>>()?)
    }
}

/// `row`: [`decision_columns`].
fn decision(mut row: Row) -> Result<Decided, DbError> {
    Ok(Decided {
        institution: id(&row, 1, InstitutionId::new)?,
        kind: parsed(&row, 2, "kind of question", QuestionKind::parse)?,
        decision: parsed(&row, 3, "decision", RideDecision::parse)?,
        otherwise: parsed(&row, 4, "default", Otherwise::parse)?,
        took_ms: row.int(5)?,
        at: row.int(6)?,
        subject: row.take_text(0)?,
    })
}
