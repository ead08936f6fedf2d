//! Travel types and the forms made of travel applications.
//!
//! A form belongs to a person only while it is approved, switched on, within its validity, and has a ride left. One ride at
//! a time holds its lock, so that a second gate sees "in use". Rows R01-R03, R10. Source: R claims 2, 3, 10.

use crate::ids::{ApplicationId, InstitutionId, MemberId, PersonId, TravelTypeId};
use crate::text;

/// A kind of travel that an institution may pay for, and what it asks for before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TravelType {
    pub id: TravelTypeId,
    pub institution: InstitutionId,
    /// What a ride order's extension field says: `metro`, `taxi`; 1 to 40 characters, unique within the institution.
    pub code: String,
    pub name: String,
    /// What an application must tell besides the usual.
    pub form: Vec<FormField>,
    pub approval: Approval,
    pub refund: FormAfterRefund,
    pub created_at: i64,
}

/// Who decides about an application of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Approved as it is made.
    NotNeeded,
    /// Waits for an administrator, unless the rule says that nobody needs to look.
    Administrators { automatic: Option<AutoApproval> },
}

/// Approved without anybody looking when all of it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AutoApproval {
    /// Most rides; standing forms never pass a limit.
    pub rides_max: Option<i64>,
    /// Longest validity in milliseconds.
    pub validity_ms_max: Option<i64>,
    /// Empty: any.
    pub cities: Vec<String>,
}

/// What becomes of a used form when its ride is refunded whole. Field trap 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormAfterRefund {
    StaysUsed,
    /// The ride is given back while the form is valid.
    GivenBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
}

/// A field of an institution's own on the application page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// 1 to 40 small letters, digits and `_`; unique in the form.
    pub name: String,
    pub label: String,
    pub kind: FieldKind,
    pub presence: Presence,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// A line of up to 200 characters.
    Text,
    /// A whole number.
    Number,
    /// `2026-11-25`.
    Date,
    /// One of these.
    Choice(Vec<String>),
}

/// Why a field of a form cannot be taken; `field` is its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct FieldFault {
    pub field: String,
    pub problem: String,
}

/// How many rides a form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RideAllowance {
    /// At least 1.
    Rides(i64),
    /// Any number while it is valid.
    Standing,
}

/// The switch on the application page. Row R02.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstitutionPayment {
    On,
    Off,
}

/// Who approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approver {
    /// The travel type needs no approval.
    Nobody,
    /// The rule of the travel type.
    Rule,
    Person(PersonId),
    /// The institution's own program, by its key.
    Program,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationState {
    /// `delegated`: the one administrator it was handed to, else all of them.
    Waiting {
        delegated: Option<PersonId>,
    },
    Approved {
        by: Approver,
        at: i64,
    },
    Refused {
        by: Approver,
        reason: String,
        at: i64,
    },
    Withdrawn {
        at: i64,
    },
    /// No longer the person's. Row R10.
    Released {
        why: Release,
        at: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Its last ride was paid.
    Used,
    /// Its validity ended.
    Expired,
}

impl ApplicationState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Approved { .. } => "approved",
            Self::Refused { .. } => "refused",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Released { why: Release::Used, .. } => "used",
            Self::Released {
                why: Release::Expired, ..
            } => "expired",
        }
    }
}

/// One ride holds the form, from entry or consultation until it is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormLock {
    /// Stored id of the consultation or ride that holds it.
    pub holder: String,
    pub until: i64,
}

/// What a person asked for; once approved, the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TravelApplication {
    /// In the institution's bucket.
    pub id: ApplicationId,
    pub institution: InstitutionId,
    pub member: MemberId,
    pub person: PersonId,
    pub travel_type: TravelTypeId,
    pub type_code: String,
    pub purpose: String,
    pub cost_centre: Option<String>,
    /// Empty: any.
    pub cities: Vec<String>,
    /// The institution's own fields, in the form's order.
    pub fields: Vec<(String, String)>,
    pub allowance: RideAllowance,
    pub valid_from: i64,
    /// Not included.
    pub valid_until: i64,
    pub switch: InstitutionPayment,
    pub state: ApplicationState,
    /// Rides paid by the institution so far.
    pub rides_used: i64,
    pub lock: Option<FormLock>,
    pub created_at: i64,
}

/// Why a form does not stand for a ride, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormRefusal {
    #[error("the person has no form for this kind of travel")]
    NoForm,
    #[error("the form waits for approval")]
    NotApproved,
    #[error("the form is not valid yet")]
    NotYetValid,
    #[error("the form's validity is over")]
    Expired,
    #[error("every ride of the form is used")]
    UsedUp,
    #[error("institution payment is switched off")]
    SwitchedOff,
    #[error("the form does not cover this city")]
    OtherCity,
    #[error("the form is in use by another ride")]
    InUse,
    #[error("the institution's own system refuses the ride, or does not answer")]
    RefusedByInstitution,
}

impl FormRefusal {
    /// Later ones are nearer to a usable form.
    pub const ALL: [Self; 9] = [
        Self::NoForm,
        Self::NotApproved,
        Self::NotYetValid,
        Self::Expired,
        Self::UsedUp,
        Self::SwitchedOff,
        Self::OtherCity,
        Self::InUse,
        Self::RefusedByInstitution,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::NoForm => "no_form",
            Self::NotApproved => "not_approved",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::UsedUp => "used_up",
            Self::SwitchedOff => "switched_off",
            Self::OtherCity => "other_city",
            Self::InUse => "in_use",
            Self::RefusedByInstitution => "refused_by_institution",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.name() == name)
    }
}

impl TravelApplication {
    /// Whether the form stands for a ride that starts at `start_at` in `city` (empty: not told).
    ///
    /// `holder`: who may hold the lock already. `now`: against which a lock is over. A form released because its validity
    /// ended still stands for a ride that started before, so that a late order is not the person's loss.
    pub fn covers(&self, start_at: i64, city: &str, holder: &str, now: i64) -> Result<(), FormRefusal> {
        match self.state {
            ApplicationState::Approved { .. }
            | ApplicationState::Released {
                why: Release::Expired, ..
            } => {}
            ApplicationState::Waiting { .. } => return Err(FormRefusal::NotApproved),
            ApplicationState::Refused { .. } | ApplicationState::Withdrawn { .. } => return Err(FormRefusal::NoForm),
            ApplicationState::Released { why: Release::Used, .. } => return Err(FormRefusal::UsedUp),
        }
        if start_at < self.valid_from {
            return Err(FormRefusal::NotYetValid);
        }
        if start_at >= self.valid_until {
            return Err(FormRefusal::Expired);
        }
        if self.rides_left() == Some(0) {
            return Err(FormRefusal::UsedUp);
        }
        if self.switch == InstitutionPayment::Off {
            return Err(FormRefusal::SwitchedOff);
        }
        let elsewhere = !self.cities.is_empty() && !self.cities.iter().any(|known| known.eq_ignore_ascii_case(city));
        if elsewhere && !city.is_empty() {
            return Err(FormRefusal::OtherCity);
        }
        match &self.lock {
            Some(lock) if lock.holder != holder && now < lock.until && self.rides_left().is_some() => {
                Err(FormRefusal::InUse)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// `None`: standing.
    pub fn rides_left(&self) -> Option<i64> {
        match self.allowance {
            RideAllowance::Rides(rides) => Some((rides - self.rides_used).max(0)),
            RideAllowance::Standing => None,
        }
    }
}

impl AutoApproval {
    pub fn allows(&self, allowance: RideAllowance, validity_ms: i64, cities: &[String]) -> bool {
        let few = match (self.rides_max, allowance) {
            (None, _) => true,
            (Some(max), RideAllowance::Rides(rides)) => rides <= max,
            (Some(_), RideAllowance::Standing) => false,
        };
        let short = self.validity_ms_max.is_none_or(|max| validity_ms <= max);
        let known = |city: &String| self.cities.iter().any(|allowed| allowed.eq_ignore_ascii_case(city));
        let near = self.cities.is_empty() || !cities.is_empty() && cities.iter().all(known);
        few && short && near
    }
}

/// Reads a form: every fault is told, each with its field's name; what the form does not ask for is a fault too.
pub fn read_fields(form: &[FormField], given: &[(String, String)]) -> Result<Vec<(String, String)>, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, problem: String| {
        let field = field.to_owned();
        faults.push(FieldFault { field, problem });
    };
    let foreign = given
        .iter()
        .filter(|(name, _)| !form.iter().any(|field| field.name == *name));
    foreign.for_each(|(name, _)| fault(name, "the form does not ask for this".to_owned()));
    let mut fields = Vec::new();
    for field in form {
        let value = given.iter().find(|(name, _)| *name == field.name);
        let value = value.map_or("", |(_, value)| value.trim());
        match (value.is_empty(), field.presence) {
            (true, Presence::Required) => fault(&field.name, format!("{} is asked for", field.label)),
            (true, Presence::Optional) => {}
            (false, _) => match field.kind.check(value) {
                Ok(value) => fields.push((field.name.clone(), value)),
                Err(problem) => fault(&field.name, problem),
            },
        }
    }
    match faults.is_empty() {
        true => Ok(fields),
        false => Err(faults),
    }
}

impl FieldKind {
    fn check(&self, value: &str) -> Result<String, String> {
        match self {
            Self::Text => text::line(value, 200).map_err(|error| error.to_string()),
            Self::Number => match value.parse::<i64>() {
                Ok(number) => Ok(number.to_string()),
                Err(_) => Err("use a whole number".to_owned()),
            },
            Self::Date if is_date(value) => Ok(value.to_owned()),
            Self::Date => Err("use a date such as 2026-11-25".to_owned()),
            Self::Choice(choices) => match choices.iter().find(|choice| *choice == value) {
                Some(choice) => Ok(choice.clone()),
                None => Err(format!("choose one of {}", choices.join(", "))),
            },
        }
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| plain).unwrap_or(0)
    };
    let &[year, month, day] = parts.as_slice() else {
        return false;
    };
    let (year, month, day) = (number(year, 4), number(month, 2), number(day, 2));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;
    use crate::ids::RawId;

    fn form() -> Vec<FormField> {
        let field = |name: &str, kind, presence| FormField {
            name: name.to_owned(),
            label: name.to_owned(),
            kind,
            presence,
        };
        vec![
            field("customer", FieldKind::Text, Presence::Required),
            field("guests", FieldKind::Number, Presence::Optional),
            field("on", FieldKind::Date, Presence::Optional),
            field(
                "site",
                FieldKind::Choice(vec!["north".to_owned(), "south".to_owned()]),
                Presence::Required,
            ),
        ]
    }

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    #[test]
    fn every_fault_of_a_form_is_told_with_its_field() {
        let read = |pairs: &[(&str, &str)]| {
            let faults = read_fields(&form(), &given(pairs)).err().unwrap_or_default();
            faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!(read(&[("customer", "ACME"), ("site", "north")]), [""; 0]);
        assert_eq!(read(&[]), ["customer", "site"]);
        let wrong = [
            ("customer", "a\nb"),
            ("guests", "two"),
            ("on", "2026-02-29"),
            ("site", "west"),
            ("colour", "red"),
        ];
        assert_eq!(read(&wrong), ["colour", "customer", "guests", "on", "site"]);
        assert_eq!(
            read(&[("customer", "A"), ("site", "south"), ("on", "2028-02-29")]),
            [""; 0]
        );
    }

    fn application() -> TravelApplication {
        let raw = RawId::from_parts(1, Bucket::new(1).unwrap(), 1);
        TravelApplication {
            id: ApplicationId::new(raw),
            institution: InstitutionId::new(raw),
            member: MemberId::new(raw),
            person: PersonId::new(raw),
            travel_type: TravelTypeId::new(raw),
            type_code: "metro".to_owned(),
            purpose: "fair".to_owned(),
            cost_centre: None,
            cities: vec!["Hangzhou".to_owned()],
            fields: Vec::new(),
            allowance: RideAllowance::Rides(1),
            valid_from: 100,
            valid_until: 200,
            switch: InstitutionPayment::On,
            state: ApplicationState::Approved {
                by: Approver::Nobody,
                at: 50,
            },
            rides_used: 0,
            lock: None,
            created_at: 50,
        }
    }

    #[test]
    fn a_form_covers_a_ride_or_says_why_not() {
        let check = |change: fn(&mut TravelApplication), start_at, city, expected| {
            let mut form = application();
            change(&mut form);
            assert_eq!(form.covers(start_at, city, "me", 150), expected);
        };
        check(|_| {}, 150, "hangzhou", Ok(()));
        check(|_| {}, 150, "", Ok(()));
        check(|_| {}, 99, "", Err(FormRefusal::NotYetValid));
        check(|_| {}, 200, "", Err(FormRefusal::Expired));
        check(|_| {}, 150, "Suzhou", Err(FormRefusal::OtherCity));
        check(|form| form.rides_used = 1, 150, "", Err(FormRefusal::UsedUp));
        let off: fn(&mut TravelApplication) = |form| form.switch = InstitutionPayment::Off;
        check(off, 150, "", Err(FormRefusal::SwitchedOff));
        let waiting: fn(&mut TravelApplication) = |form| form.state = ApplicationState::Waiting { delegated: None };
        check(waiting, 150, "", Err(FormRefusal::NotApproved));
        let locked: fn(&mut TravelApplication) = |form| {
            form.lock = Some(FormLock {
                holder: "other".to_owned(),
                until: 151,
            });
        };
        check(locked, 150, "", Err(FormRefusal::InUse));
        let expired: fn(&mut TravelApplication) = |form| {
            form.state = ApplicationState::Released {
                why: Release::Expired,
                at: 300,
            };
        };
        check(expired, 199, "", Ok(()));
        let over: fn(&mut TravelApplication) = |form| {
            form.lock = Some(FormLock {
                holder: "other".to_owned(),
                until: 150,
            });
        };
        check(over, 150, "", Ok(()));
    }

    #[test]
    fn automatic_approval_needs_all_of_its_rule() {
        let rule = AutoApproval {
            rides_max: Some(2),
            validity_ms_max: Some(1_000),
            cities: vec!["Hangzhou".to_owned()],
        };
        let here = ["hangzhou".to_owned()];
        assert!(rule.allows(RideAllowance::Rides(2), 1_000, &here));
        assert!(!rule.allows(RideAllowance::Rides(3), 1_000, &here));
        assert!(!rule.allows(RideAllowance::Standing, 1_000, &here));
        assert!(!rule.allows(RideAllowance::Rides(1), 1_001, &here));
        assert!(!rule.allows(RideAllowance::Rides(1), 1, &[]));
    }
}
