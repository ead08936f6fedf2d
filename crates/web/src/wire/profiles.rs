//! The contract of the management platform.

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{ChoiceId, PaymentId, PersonId, ProfileId, ScenarioId};
use onescan_domain::profiles::{DeliveryChannel, InvoiceProfile, ProfileChoice, ProfileFields, TitleKind};
use onescan_platforms::profiles::{ChooseRefusal, NewProfile, ProfileAnswer, ProfileRequest, Profiles};

use super::contract::contract;
use super::form::{Unreadable, Wire, mirrored, tagged, words};

contract! {
    /// The management platform: invoice profiles, tied to code records, and the choice among them.
    PROFILES: Profiles at "profiles" version "1.0";
    callers ["processing"], may also [];
    RemoteProfiles, profiles_routes;
    /// Makes a profile. When the answer is lost, look at `list` before making it again.
    once create(bucket: Bucket, record[&]: CodeRecordId, new: NewProfile) -> InvoiceProfile;
    /// Null when the record has no such profile. A profile on an earlier invoice keeps what it was there.
    same update(bucket: Bucket, record[&]: CodeRecordId, id: ProfileId, new: NewProfile) -> Option<InvoiceProfile>;
    /// Hides a profile from lists and choices; whether it was there.
    same remove(bucket: Bucket, record[&]: CodeRecordId, id: ProfileId) -> bool;
    /// All profiles of a record.
    read list(bucket: Bucket, record[&]: CodeRecordId) -> Vec<InvoiceProfile>;
    /// One profile, also a removed one.
    read find(id: ProfileId) -> Option<InvoiceProfile>;
    /// The profile for each payment, in order. Where several fit, the first call asks the person and every later one tells
    /// how that stands; the answer never changes once settled.
    same choose_for(requests: Vec<ProfileRequest>) -> Vec<ProfileAnswer>;
    /// Questions the person has not answered and still can, newest first.
    read open_choices(person: PersonId, buckets: Vec<Bucket>) -> Vec<ProfileChoice>;
    /// Takes the person's choice. Choosing the same again changes nothing.
    same choose(person: PersonId, choice: ChoiceId, profile: ProfileId) -> Result<ProfileChoice, ChooseRefusal>;
}

words! {
    TitleKind { Personal = "personal", Company = "company" }
    /// In the order of the checks.
    ChooseRefusal { Unknown = "unknown", NotACandidate = "not_a_candidate", Settled = "settled" }
}

tagged! {
    /// Where a finished invoice goes.
    DeliveryChannel as DeliveryChannelForm {
        Inbox = "inbox",
        Email(address: String) = "email",
    }
    ProfileAnswer as ProfileAnswerForm {
        None = "none",
        Settled(profile: Box<InvoiceProfile>) = "settled",
        Asking(choice: ProfileChoice) = "asking",
    }
}

mirrored! {
    /// What the buyer wants to see on the invoice.
    ProfileFields as ProfileFieldsForm {
        title_kind: TitleKind,
        title: String,
        tax_number: Option<String>,
        vat_id: Option<String>,
        address: Option<String>,
        postcode: Option<String>,
        city: Option<String>,
        /// ISO 3166-1, two letters.
        country: Option<String>,
        telephone: Option<String>,
        bank_name: Option<String>,
        bank_account: Option<String>,
        /// Scheme of the EAS list, colon, number.
        electronic_address: Option<String>,
        /// What the buyer wants to see again.
        buyer_reference: Option<String>,
        channel: DeliveryChannel,
    }
    NewProfile as NewProfileForm {
        fields: ProfileFields,
        scenarios: Vec<ScenarioId>,
        /// Makes the record's other profiles not preferred.
        preferred: bool,
    }
    InvoiceProfile as InvoiceProfileForm {
        id: ProfileId,
        record: CodeRecordId,
        fields: ProfileFields,
        /// The scenarios it is meant for; empty: any.
        scenarios: Vec<ScenarioId>,
        /// Taken when the person does not choose in time.
        preferred: bool,
        created_at: i64,
    }
    ProfileRequest as ProfileRequestForm {
        payment: PaymentId,
        record: CodeRecordId,
        scenario: Option<ScenarioId>,
        person: PersonId,
        /// When the person can no longer choose and the default is taken.
        choose_until: i64,
    }
    /// A question to the person: which of several profiles goes on this payment's invoice?
    ProfileChoice as ProfileChoiceForm {
        id: ChoiceId,
        payment: PaymentId,
        record: CodeRecordId,
        person: PersonId,
        /// The first is the default. At least two.
        candidates: Vec<ProfileId>,
        until: i64,
        chosen: Option<ProfileId>,
    }
}
