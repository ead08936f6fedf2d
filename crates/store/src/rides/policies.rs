//! Travel types, policy versions, funding rules and consents.

use onescan_domain::calendar::WorkCalendar;
use onescan_domain::ids::{InstitutionId, PersonId, TravelTypeId};
use onescan_domain::rides::application::{
    Approval, AutoApproval, FieldKind, FormAfterRefund, FormField, Presence, TravelType,
};
use onescan_platforms::error::Result;
use onescan_platforms::rides::{FundingSource, FundingStep, PolicyVersion, RideConsent};

use crate::decode::{id, money, parsed};
use crate::error::DbError;
use crate::sql::Row;
use crate::{Store, params, statements};

macro_rules! type_columns {
    () => {
        "id, institution_id, code, name, form, approval, refund, created_at"
    };
}

statements! {
    INSERT_TYPE = concat!(
        "insert into travel_types (bucket, ", type_columns!(), ") values (:bucket, :id::text, :institution::text, \
         :code::text, :name::text, :form::text, :approval::text, :refund::text, :created_at)"
    );
    UPDATE_TYPE =
        "update travel_types set code = :code::text, name = :name::text, form = :form::text,
         approval = :approval::text, refund = :refund::text where bucket = :bucket and id = :id::text";
    FIND_TYPE = concat!("select ", type_columns!(), " from travel_types where bucket = :bucket and id = :id::text");
    LIST_TYPES = concat!(
        "select ", type_columns!(), " from travel_types
         where bucket = :bucket and institution_id = :institution::text order by code"
    );
    INSERT_POLICY =
        "insert into travel_policies (bucket, travel_type_id, version, rules, from_at, created_at)
         values (:bucket, :travel_type::text, :version, :rules::text, :from_at, :created_at)";
    LIST_POLICIES =
        "select version, rules, from_at, created_at from travel_policies
         where bucket = :bucket and travel_type_id = :travel_type::text order by version desc";
    PUT_FUNDING =
        "insert into ride_funding (bucket, institution_id, steps, changed_at)
         values (:bucket, :institution::text, :steps::text, :at)
         on conflict (bucket, institution_id) do update set steps = excluded.steps, changed_at = excluded.changed_at";
    FIND_FUNDING = "select steps from ride_funding where bucket = :bucket and institution_id = :institution::text";
    PUT_CALENDAR =
        "insert into work_calendars (bucket, institution_id, days, changed_at)
         values (:bucket, :institution::text, :days::text, :at)
         on conflict (bucket, institution_id) do update set days = excluded.days, changed_at = excluded.changed_at";
    FIND_CALENDAR = "select days from work_calendars where bucket = :bucket and institution_id = :institution::text";
    PUT_CONSENT =
        "insert into ride_consents (bucket, person_id, cap_minor, currency, given_at, withdrawn_at)
         values (:bucket, :person::text, :cap, :currency::text, :given_at, :withdrawn_at)
         on conflict (bucket, person_id) do update set cap_minor = excluded.cap_minor, currency = excluded.currency,
         given_at = excluded.given_at, withdrawn_at = excluded.withdrawn_at";
    FIND_CONSENT =
        "select cap_minor, currency, given_at, withdrawn_at from ride_consents
         where bucket = :bucket and person_id = :person::text";
}

impl Store {
    pub(super) async fn insert_type_row(&self, kind: &TravelType) -> Result<()> {
        let row = params![
            kind.id.bucket().number(),
            kind.id.stored(),
            kind.institution.stored(),
            &kind.code,
            &kind.name,
            write_form(&kind.form),
            write_approval(&kind.approval),
            write_refund(kind.refund),
            kind.created_at
        ];
        Ok(self.change_one(&INSERT_TYPE, row).await?)
    }

    pub(super) async fn update_type_row(&self, kind: &TravelType) -> Result<()> {
        let row = params![
            &kind.code,
            &kind.name,
            write_form(&kind.form),
            write_approval(&kind.approval),
            write_refund(kind.refund),
            kind.id.bucket().number(),
            kind.id.stored()
        ];
        Ok(self.change_one(&UPDATE_TYPE, row).await?)
    }

    pub(super) async fn find_type_row(&self, id: TravelTypeId) -> Result<Option<TravelType>> {
        let key = params![id.bucket().number(), id.stored()];
        let row = self.db.query_opt(&FIND_TYPE, key).await?;
        Ok(row.map(travel_type).transpose()?)
    }

    pub(super) async fn list_type_rows(&self, institution: InstitutionId) -> Result<Vec<TravelType>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let rows = self.db.query(&LIST_TYPES, key).await?;
        Ok(rows.into_iter().map(travel_type).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn insert_policy_row(&self, policy: &PolicyVersion) -> Result<()> {
        let row = params![
            policy.travel_type.bucket().number(),
            policy.travel_type.stored(),
            policy.version,
            &policy.rules,
            policy.from_at,
            policy.created_at
        ];
        Ok(self.change_one(&INSERT_POLICY, row).await?)
    }

    pub(super) async fn list_policy_rows(&self, travel_type: TravelTypeId) -> Result<Vec<PolicyVersion>> {
        let key = params![travel_type.bucket().number(), travel_type.stored()];
        let rows = self.db.query(&LIST_POLICIES, key).await?;
        let read = rows.into_iter().map(|mut row| {
            Ok(PolicyVersion {
                travel_type,
                version: row.int(0)?,
                rules: row.take_text(1)?,
                from_at: row.int(2)?,
                created_at: row.int(3)?,
            })
        });
        Ok(read.collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn put_funding_row(
        &self,
        institution: InstitutionId,
        steps: &[FundingStep],
        at: i64,
    ) -> Result<()> {
        let row = params![
            institution.bucket().number(),
            institution.stored(),
            write_steps(steps),
            at
        ];
        Ok(self.change_one(&PUT_FUNDING, row).await?)
    }

    pub(super) async fn find_funding_row(&self, institution: InstitutionId) -> Result<Option<Vec<FundingStep>>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let row = self.db.query_opt(&FIND_FUNDING, key).await?;
        Ok(row.map(|row| parsed(&row, 0, "funding rule", read_steps)).transpose()?)
    }

    pub(super) async fn put_calendar_row(
        &self,
        institution: InstitutionId,
        calendar: &WorkCalendar,
        at: i64,
    ) -> Result<()> {
        let row = params![
            institution.bucket().number(),
            institution.stored(),
            calendar.to_string(),
            at
        ];
        Ok(self.change_one(&PUT_CALENDAR, row).await?)
    }

    pub(crate) async fn find_calendar_row(&self, institution: InstitutionId) -> Result<Option<WorkCalendar>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let row = self.db.query_opt(&FIND_CALENDAR, key).await?;
        let read = |text: &str| WorkCalendar::parse(text).ok();
        Ok(row.map(|row| parsed(&row, 0, "calendar", read)).transpose()?)
    }

    pub(super) async fn put_consent_row(&self, consent: &RideConsent) -> Result<()> {
        let row = params![
            consent.person.bucket().number(),
            consent.person.stored(),
            consent.cap.minor,
            consent.cap.currency.code(),
            consent.given_at,
            consent.withdrawn_at
        ];
        Ok(self.change_one(&PUT_CONSENT, row).await?)
    }

    pub(super) async fn find_consent_row(&self, person: PersonId) -> Result<Option<RideConsent>> {
        let key = params![person.bucket().number(), person.stored()];
        let Some(row) = self.db.query_opt(&FIND_CONSENT, key).await? else {
            return Ok(None);
        };
        Ok(Some(RideConsent {
            person,
            cap: money(&row, 0, 1)?,
            given_at: row.int(2)?,
            withdrawn_at: row.opt_int(3)?,
        }))
    }
}

/// `row`: [`type_columns`].
fn travel_type(mut row: Row) -> Result<TravelType, DbError> {
    Ok(TravelType {
        id: id(&row, 0, TravelTypeId::new)?,
        institution: id(&row, 1, InstitutionId::new)?,
        form: parsed(&row, 4, "form", read_form)?,
        approval: parsed(&row, 5, "approval", read_approval)?,
        refund: parsed(&row, 6, "refund", read_refund)?,
        code: row.take_text(2)?,
        name: row.take_text(3)?,
        created_at: row.int(7)?,
    })
}

/// Names, labels and choices are lines without control characters, so tabs and line ends are free to separate them.
fn write_form(form: &[FormField]) -> String {
    let lines = form.iter().map(|field| {
        let (kind, choices) = match &field.kind {
            FieldKind::Text => ("text", Vec::new()),
            FieldKind::Number => ("number", Vec::new()),
            FieldKind::Date => ("date", Vec::new()),
            FieldKind::Choice(choices) => ("choice", choices.clone()),
        };
        let presence = match field.presence {
            Presence::Required => "required",
            Presence::Optional => "optional",
        };
        let first = [
            field.name.clone(),
            kind.to_owned(),
            presence.to_owned(),
            field.label.clone(),
        ];
        let parts: Vec<String> = first.into_iter().chain(choices).collect();
        parts.join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn read_form(text: &str) -> Option<Vec<FormField>> {
    let lines = text.split('\n').filter(|line| !line.is_empty());
    let field = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        let (name, kind, presence) = (parts.next()?, parts.next()?, parts.next()?);
        let label = parts.next()?;
        Some(FormField {
            name,
            label,
            kind: match kind.as_str() {
                "text" => FieldKind::Text,
                "number" => FieldKind::Number,
                "date" => FieldKind::Date,
                "choice" => FieldKind::Choice(parts.collect()),
                _ => return None,
            },
            presence: match presence.as_str() {
                "required" => Presence::Required,
                "optional" => Presence::Optional,
                _ => return None,
            },
        })
    };
    lines.map(field).collect()
}

/// `none`, `administrators`, or `automatic`, most rides, longest validity and cities, separated by tabs.
fn write_approval(approval: &Approval) -> String {
    match approval {
        Approval::NotNeeded => "none".to_owned(),
        Approval::Administrators { automatic: None } => "administrators".to_owned(),
        Approval::Administrators { automatic: Some(rule) } => {
            let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
            let first = [
                "automatic".to_owned(),
                number(rule.rides_max),
                number(rule.validity_ms_max),
            ];
            let parts: Vec<String> = first.into_iter().chain(rule.cities.iter().cloned()).collect();
            parts.join("\t")
        }
    }
}

fn read_approval(text: &str) -> Option<Approval> {
    let mut parts = text.split('\t');
    let number = |text: &str| match text {
        "" => Some(None),
        text => text.parse::<i64>().ok().map(Some),
    };
    Some(match parts.next()? {
        "none" => Approval::NotNeeded,
        "administrators" => Approval::Administrators { automatic: None },
        "automatic" => Approval::Administrators {
            automatic: Some(AutoApproval {
                rides_max: number(parts.next()?)?,
                validity_ms_max: number(parts.next()?)?,
                cities: parts.map(str::to_owned).collect(),
            }),
        },
        _ => return None,
    })
}

fn write_refund(refund: FormAfterRefund) -> &'static str {
    match refund {
        FormAfterRefund::StaysUsed => "stays_used",
        FormAfterRefund::GivenBack => "given_back",
    }
}

fn read_refund(text: &str) -> Option<FormAfterRefund> {
    [FormAfterRefund::StaysUsed, FormAfterRefund::GivenBack]
        .into_iter()
        .find(|refund| write_refund(*refund) == text)
}

/// One step a line: `member`, `institution` or an institution's id, then what it pays at most.
fn write_steps(steps: &[FundingStep]) -> String {
    let lines = steps.iter().map(|step| {
        let source = match step.source {
            FundingSource::Member => "member".to_owned(),
            FundingSource::Institution => "institution".to_owned(),
            FundingSource::Of(id) => id.to_string(),
        };
        match step.cap_minor {
            None => source,
            Some(cap) => format!("{source} {cap}"),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn read_steps(text: &str) -> Option<Vec<FundingStep>> {
    let step = |line: &str| {
        let mut words = line.split(' ');
        Some(FundingStep {
            source: match words.next()? {
                "member" => FundingSource::Member,
                "institution" => FundingSource::Institution,
                id => FundingSource::Of(id.parse().ok()?),
            },
            cap_minor: match words.next() {
                None => None,
                Some(cap) => Some(cap.parse().ok()?),
            },
        })
    };
    text.split('\n').map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_approvals_and_funding_are_read_back_equal() {
        let field = |name: &str, kind, presence| FormField {
            name: name.to_owned(),
            label: "Kunde, Ort".to_owned(),
            kind,
            presence,
        };
        let form = vec![
            field("a", FieldKind::Text, Presence::Required),
            field("b", FieldKind::Number, Presence::Optional),
            field("c", FieldKind::Date, Presence::Optional),
            field(
                "d",
                FieldKind::Choice(vec!["北 1".to_owned(), "2".to_owned()]),
                Presence::Required,
            ),
        ];
        assert_eq!(read_form(&write_form(&form)), Some(form));
        assert_eq!(read_form(""), Some(Vec::new()));
        let rule = AutoApproval {
            rides_max: Some(2),
            validity_ms_max: None,
            cities: vec!["New York".to_owned()],
        };
        for approval in [
            Approval::NotNeeded,
            Approval::Administrators { automatic: None },
            Approval::Administrators { automatic: Some(rule) },
        ] {
            assert_eq!(read_approval(&write_approval(&approval)), Some(approval));
        }
        let step = |source, cap_minor| FundingStep { source, cap_minor };
        let other = "ins_01kb6x2x8s0g00000000000000".parse().unwrap();
        let steps = vec![
            step(FundingSource::Member, Some(500)),
            step(FundingSource::Institution, None),
            step(FundingSource::Of(other), Some(7)),
        ];
        assert_eq!(read_steps(&write_steps(&steps)), Some(steps));
    }
}
