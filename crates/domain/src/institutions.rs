//! Institutions, their departments and members.

use crate::ids::{AccountId, DepartmentId, InstitutionId, MemberId, PersonId};
use crate::money::Currency;

/// A company, school or office. Institutions form a tree; a whole tree lives in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    pub id: InstitutionId,
    pub parent: Option<InstitutionId>,
    pub name: String,
    pub currency: Currency,
    /// IANA name; limits count days and months in it.
    pub time_zone: String,
    pub account: AccountId,
    pub created_at: i64,
}

/// Deepest level of the tree below its root.
pub const TREE_DEPTH_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    pub id: DepartmentId,
    pub institution: InstitutionId,
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    Active,
    /// Left; can be taken in again. Codes shown after this are refused at once.
    Left,
}

impl MemberState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Left => "left",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Left]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    Employee,
    /// May change the institution's records, scenarios, members and profiles. Row S07: the authorised member.
    Administrator,
}

impl MemberRole {
    pub fn name(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::Administrator => "administrator",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Employee, Self::Administrator]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A person as part of an institution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    pub institution: InstitutionId,
    pub person: PersonId,
    pub name: String,
    /// The institution's own number for this person; unique within the institution.
    pub employee_number: Option<String>,
    pub department: Option<DepartmentId>,
    pub role: MemberRole,
    pub state: MemberState,
    /// The member's dedicated account, where the institution opened one.
    pub account: Option<AccountId>,
    pub created_at: i64,
}
