//! Institutions as a tree, with departments, members and administrators.

mod import;
mod service;

use async_trait::async_trait;
use onescan_domain::ids::{AccountId, DepartmentId, InstitutionId, MemberId, PersonId};
use onescan_domain::institutions::{Department, Institution, Member, MemberState};

pub use import::{ImportLine, ImportProblem, ImportReport, MemberColumns};
pub use service::{InstitutionRefusal, Institutions, NewInstitution, NewMember};

use crate::error::Result;

#[async_trait]
pub trait InstitutionStore: Send + Sync {
    /// Writes the institution and its account in one commit. Its id lies in the bucket of its parent's.
    async fn insert(&self, institution: &Institution) -> Result<()>;
    async fn find(&self, id: InstitutionId) -> Result<Option<Institution>>;
    /// Of all buckets, the oldest first. `after`: the last id of the page before.
    async fn list(&self, after: Option<InstitutionId>, limit: u32) -> Result<Vec<Institution>>;
    async fn list_children(&self, id: InstitutionId) -> Result<Vec<Institution>>;
    /// `Taken { departments_name }` when the institution has one of this name.
    async fn insert_department(&self, department: &Department) -> Result<()>;
    async fn list_departments(&self, institution: InstitutionId) -> Result<Vec<Department>>;
    async fn find_department(&self, id: DepartmentId) -> Result<Option<Department>>;
    /// Writes the member and the person's side of the membership in one commit. `Taken { members_person }` when the person is
    /// a member already, else `Taken { members_employee_number }` when the number is in use.
    async fn insert_member(&self, member: &Member) -> Result<()>;
    async fn find_member(&self, id: MemberId) -> Result<Option<Member>>;
    async fn find_member_of_person(&self, institution: InstitutionId, person: PersonId) -> Result<Option<Member>>;
    async fn find_member_of_number(&self, institution: InstitutionId, employee_number: &str) -> Result<Option<Member>>;
    /// Writes name, employee number, department, role and state; the rest of a member never changes here.
    async fn update_member(&self, member: &Member) -> Result<()>;
    /// The oldest first. `search`: a part of the name, the department's name or the employee number, in any case of letters.
    async fn list_members(
        &self,
        institution: InstitutionId,
        search: Option<&str>,
        after: Option<MemberId>,
        limit: u32,
    ) -> Result<Vec<Member>>;
    async fn count_members(&self, institution: InstitutionId, state: MemberState) -> Result<u64>;
    /// Ties the account to the member as the dedicated one; a member who has one keeps it.
    async fn set_member_account(&self, member: MemberId, account: AccountId) -> Result<()>;
}
