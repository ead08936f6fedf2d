//! The contract of the service platform.

use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::WorkCalendar;
use onescan_domain::codes::{
    Categories, CodeFacts, CodeKind, CodeRecord, CodeRecordId, CodeRefusal, CodeText, MemberAccess, RecordHolder,
    RecordState, Scenario,
};
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{AccountId, CodeId, InstitutionId, MemberId, PaymentId, PersonId, ScenarioId};
use onescan_domain::money::Currency;
use onescan_domain::payments::batch::{Permit, PermittedScenario};
use onescan_domain::policy::Policy;
use onescan_platforms::codes::{
    Access, Assigned, Codes, CreateRefusal, NewHolder, NewRecord, PermitRequest, Removed, ServiceCode,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::contract;
use super::form::{Schemas, Unreadable, Wire, mirrored, named, object, tagged, words};

contract! {
    /// The service platform: lasting code records, and the codes made for single accesses. A code is made once and never
    /// changes; whether it was used is a fact of the payment platform.
    CODES: Codes at "codes" version "1.0";
    callers ["processing"], may also [("payments", &["permit"])];
    RemoteCodes, codes_routes;
    /// Makes the record of a person or an institution, or answers with the one that is there already (a holder has one).
    same create_record(new: NewRecord) -> CodeRecord;
    /// One record by its id.
    read find_record(bucket: Bucket, id[&]: CodeRecordId) -> Option<CodeRecord>;
    /// The record of a person.
    read record_of_person(person: PersonId) -> Option<CodeRecord>;
    /// The institution's own record; the caller walks up the tree.
    read record_of_institution(institution: InstitutionId) -> Option<CodeRecord>;
    /// Pauses, resumes or closes. Closing is for ever: a closed record stays closed.
    same set_record_state(bucket: Bucket, id[&]: CodeRecordId, state: RecordState) -> ();
    /// Which members may show the code.
    same set_member_access(bucket: Bucket, id[&]: CodeRecordId, members: MemberAccess) -> ();
    /// Ties a member to the record, or unties it. Repeating changes nothing.
    same set_assigned(bucket: Bucket, id[&]: CodeRecordId, member: MemberId, assigned: Assigned) -> ();
    /// The members tied one by one.
    read assigned_members(bucket: Bucket, id[&]: CodeRecordId) -> Vec<MemberId>;
    /// Adds a scenario, or replaces the one with the same id.
    same put_scenario(bucket: Bucket, scenario: Scenario) -> ();
    /// Removes a scenario; `not_there` when an earlier call did.
    same remove_scenario(bucket: Bucket, record[&]: CodeRecordId, id: ScenarioId) -> Removed;
    /// All scenarios of a record.
    read scenarios(bucket: Bucket, record[&]: CodeRecordId) -> Vec<Scenario>;
    /// Makes a code for one access to the record. A new code of the same device ends the one before the last. Nobody saw
    /// the code of an answer that was lost, so a repeat makes another.
    same create(record: CodeRecord, access: Access) -> Result<ServiceCode, CreateRefusal>;
    /// What is known about scanned codes, in order; null for one that does not exist.
    read look_up(codes: Vec<CodeText>) -> Vec<Option<CodeFacts>>;
    /// Days off and make-up workdays that hold for the institution: its own, or those of the nearest one above it.
    read calendar(institution: InstitutionId) -> WorkCalendar;
    /// What payments decides on: as `look_up`, with the one scenario of the payment's merchant category.
    read permit(requests: Vec<PermitRequest>) -> Vec<Option<Permit>>;
}

words! {
    CodeKind { User = "user", Institution = "institution" }
    IdentityKind { UserNumber = "user_number", Credential = "credential", CrossBorderCredential = "cross_border_credential" }
    MemberAccess { ThroughInstitution = "through_institution", Assigned = "assigned" }
    /// A paused record can be resumed, a closed one never.
    RecordState { Active = "active", Paused = "paused", Closed = "closed" }
    Assigned { Yes = "yes", No = "no" }
    Removed { Yes = "yes", NotThere = "not_there" }
    /// In the order of the checks.
    CreateRefusal { NoRecord = "no_record", RecordInactive = "record_inactive", NotTied = "not_tied" }
}

tagged! {
    RecordHolder as RecordHolderForm {
        Person { person: PersonId, identity: IdentityId } = "person",
        Institution { institution: InstitutionId, members: MemberAccess } = "institution",
    }
    NewHolder as NewHolderForm {
        Person { person: PersonId, identity: IdentityId } = "person",
        Institution { institution: InstitutionId, members: MemberAccess } = "institution",
    }
    /// Why a code cannot be paid with, in the order of the checks.
    CodeRefusal as CodeRefusalForm {
        Unknown = "unknown",
        RecordInactive = "record_inactive",
        NotTied = "not_tied",
        Used { payment: PaymentId } = "used",
        Expired = "expired",
    }
}

mirrored! {
    /// The lasting enrolment of a person or an institution in code payment.
    CodeRecord as CodeRecordForm {
        id: CodeRecordId,
        bucket: Bucket,
        holder: RecordHolder,
        /// Who pays when one of its codes is used.
        account: AccountId,
        currency: Currency,
        /// IANA name; days and months of limits are counted in it.
        time_zone: String,
        state: RecordState,
        /// Milliseconds since 1970, as every instant.
        created_at: i64,
    }
    NewRecord as NewRecordForm {
        holder: NewHolder,
        account: AccountId,
        currency: Currency,
        /// IANA name.
        time_zone: String,
    }
    /// Who opened the code page, from where, when.
    Access as AccessForm {
        person: PersonId,
        /// For an institution code: through which membership.
        member: Option<MemberId>,
        /// 1 to 128 characters.
        device: String,
        /// Network address.
        address: String,
        /// 1 to 100 characters.
        location: Option<String>,
    }
    ServiceCode as ServiceCodeForm {
        id: CodeId,
        kind: CodeKind,
        text: CodeText,
        created_at: i64,
        /// When the page renews it.
        shown_until: i64,
        /// When it can no longer be paid with; half-open.
        pay_until: i64,
    }
    CodeFacts as CodeFactsForm {
        code: CodeId,
        record: CodeRecord,
        person: PersonId,
        member: Option<MemberId>,
        /// Whether the person still belongs to the record.
        tied: bool,
        /// Whether a newer code of the same device took this one's place.
        replaced: bool,
        created_at: i64,
        pay_until: i64,
    }
    PermitRequest as PermitRequestForm {
        text: CodeText,
        /// ISO 18245.
        category: u16,
        at: i64,
    }
    Permit as PermitForm {
        code: CodeId,
        record: CodeRecordId,
        kind: CodeKind,
        person: PersonId,
        member: Option<MemberId>,
        /// Who pays.
        account: AccountId,
        currency: Currency,
        time_zone: String,
        /// The scenario of this payment's merchant category, and no other.
        scenario: Option<PermittedScenario>,
        /// The first of record, user and period that fails.
        refusal: Option<CodeRefusal>,
    }
    PermittedScenario as PermittedScenarioForm {
        id: ScenarioId,
        name: String,
        policy: std::sync::Arc<Policy>,
        /// Days off of the institution that pays, for the payment's day.
        calendar: WorkCalendar,
    }
    /// A kind of spending and what is allowed for it.
    Scenario as ScenarioForm {
        id: ScenarioId,
        record: CodeRecordId,
        name: String,
        categories: Categories,
        policy: Policy,
        created_at: i64,
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct IdentityForm {
    kind: <IdentityKind as Wire>::Form,
    number: String,
}

impl Wire for IdentityId {
    type Form = IdentityForm;
    type Owned = Self;

    fn form(&self) -> IdentityForm {
        IdentityForm {
            kind: self.kind().form(),
            number: self.number().to_owned(),
        }
    }

    fn read(form: IdentityForm) -> Result<Self, Unreadable> {
        Self::new(IdentityKind::read(form.kind)?, &form.number).map_err(Unreadable::new)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        named(schemas, "IdentityId", |schemas| {
            let number = serde_json::json!({"type": "string", "minLength": 1, "maxLength": 64});
            let properties = vec![
                ("kind", IdentityKind::schema(schemas), String::new()),
                ("number", number, String::new()),
            ];
            object("", properties)
        })
    }
}
