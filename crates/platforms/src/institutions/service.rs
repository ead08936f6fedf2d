//! Keeping institutions, departments and members.

use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{AccountId, DepartmentId, InstitutionId, MemberId, PersonId};
use onescan_domain::institutions::{Department, Institution, Member, MemberRole, MemberState, TREE_DEPTH_MAX};
use onescan_domain::money::Currency;
use onescan_domain::payments::ledger::AccountKind;
use onescan_domain::text::{self, TextError};

use super::InstitutionStore;
use crate::env::{Env, is_time_zone};
use crate::error::Result;
use crate::payments::{NewAccount, Payments};

/// What a new institution needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstitution {
    pub parent: Option<InstitutionId>,
    pub name: String,
    pub currency: Currency,
    pub time_zone: String,
    /// A bucket of its own, for a large institution; a sub-institution always shares its parent's.
    pub bucket: Option<Bucket>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    pub person: PersonId,
    pub name: String,
    pub employee_number: Option<String>,
    pub department: Option<DepartmentId>,
    pub role: MemberRole,
}

/// Why something was not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstitutionRefusal {
    #[error("{field}: {error}")]
    Text { field: &'static str, error: TextError },
    #[error("time_zone: not a known IANA name such as Asia/Shanghai")]
    TimeZone,
    #[error("there is no such institution")]
    Unknown,
    #[error("parent: there is no such institution")]
    UnknownParent,
    #[error("parent: the tree would be deeper than {TREE_DEPTH_MAX} levels")]
    TooDeep,
    #[error("department: there is no such department in this institution")]
    UnknownDepartment,
    #[error("name: a department of this name exists")]
    DepartmentTaken,
    #[error("person: is a member already")]
    MemberTaken,
    #[error("employee_number: another member has it")]
    EmployeeNumberTaken,
    #[error("there is no such member")]
    UnknownMember,
    #[error("the last administrator cannot leave or step down")]
    LastAdministrator,
}

#[derive(Clone)]
pub struct Institutions {
    pub(super) env: Env,
    pub(super) store: Arc<dyn InstitutionStore>,
    payments: Arc<dyn Payments>,
}

impl std::fmt::Debug for Institutions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Institutions").finish_non_exhaustive()
    }
}

fn line(field: &'static str, value: &str) -> Result<String, InstitutionRefusal> {
    text::line(value, 100).map_err(|error| InstitutionRefusal::Text { field, error })
}

impl Institutions {
    pub fn new(env: Env, store: Arc<dyn InstitutionStore>, payments: Arc<dyn Payments>) -> Self {
        Self { env, store, payments }
    }

    /// Makes an institution with an empty account; below `parent` when one is named.
    pub async fn create(&self, new: NewInstitution) -> Result<Result<Institution, InstitutionRefusal>> {
        let name = match line("name", &new.name) {
            Ok(name) => name,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !is_time_zone(&new.time_zone) {
            return Ok(Err(InstitutionRefusal::TimeZone));
        }
        let bucket = match new.parent {
            None => new.bucket.unwrap_or_else(|| self.env.any_bucket()),
            Some(parent) => match self.lineage(parent).await?.len() {
                0 => return Ok(Err(InstitutionRefusal::UnknownParent)),
                depth if depth > TREE_DEPTH_MAX => return Ok(Err(InstitutionRefusal::TooDeep)),
                _ => parent.bucket(),
            },
        };
        let institution = Institution {
            id: InstitutionId::new(self.env.id(bucket)),
            parent: new.parent,
            name,
            currency: new.currency,
            time_zone: new.time_zone,
            account: AccountId::new(self.env.id(bucket)),
            created_at: self.env.now_ms(),
        };
        self.store.insert(&institution).await?;
        Ok(Ok(institution))
    }

    pub async fn find(&self, id: InstitutionId) -> Result<Option<Institution>> {
        self.store.find(id).await
    }

    pub async fn list(&self, after: Option<InstitutionId>, limit: u32) -> Result<Vec<Institution>> {
        self.store.list(after, limit).await
    }

    pub async fn children(&self, id: InstitutionId) -> Result<Vec<Institution>> {
        self.store.list_children(id).await
    }

    /// The institution and those above it, from itself to the root; empty when it does not exist.
    pub async fn lineage(&self, id: InstitutionId) -> Result<Vec<Institution>> {
        let mut lineage: Vec<Institution> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.filter(|_| lineage.len() <= TREE_DEPTH_MAX) {
            let found = self.store.find(id).await?;
            next = found.as_ref().and_then(|institution| institution.parent);
            lineage.extend(found);
        }
        Ok(lineage)
    }

    /// Whether the person is an active administrator of the institution or of one above it.
    pub async fn is_administrator(&self, person: PersonId, institution: InstitutionId) -> Result<bool> {
        for level in self.lineage(institution).await? {
            let member = self.store.find_member_of_person(level.id, person).await?;
            let rules =
                |member: &Member| member.state == MemberState::Active && member.role == MemberRole::Administrator;
            if member.as_ref().is_some_and(rules) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub async fn add_department(
        &self,
        institution: InstitutionId,
        name: &str,
    ) -> Result<Result<Department, InstitutionRefusal>> {
        let name = match line("name", name) {
            Ok(name) => name,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = DepartmentId::new(self.env.id(institution.bucket()));
        let department = Department { id, institution, name };
        match self.store.insert_department(&department).await {
            Ok(()) => Ok(Ok(department)),
            Err(error) if error.is_taken("departments_name") => Ok(Err(InstitutionRefusal::DepartmentTaken)),
            Err(error) => Err(error),
        }
    }

    pub async fn departments(&self, institution: InstitutionId) -> Result<Vec<Department>> {
        self.store.list_departments(institution).await
    }

    /// Takes a person in. Refuses: text, unknown department, member already, employee number taken.
    pub async fn add_member(
        &self,
        institution: InstitutionId,
        new: NewMember,
    ) -> Result<Result<Member, InstitutionRefusal>> {
        let name = match line("name", &new.name) {
            Ok(name) => name,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let number = text::optional_line(new.employee_number.as_deref(), 64);
        let employee_number = match number {
            Ok(number) => number,
            Err(error) => {
                return Ok(Err(InstitutionRefusal::Text {
                    field: "employee_number",
                    error,
                }));
            }
        };
        if !self.knows_department(institution, new.department).await? {
            return Ok(Err(InstitutionRefusal::UnknownDepartment));
        }
        let member = Member {
            id: MemberId::new(self.env.id(institution.bucket())),
            institution,
            person: new.person,
            name,
            employee_number,
            department: new.department,
            role: new.role,
            state: MemberState::Active,
            account: None,
            created_at: self.env.now_ms(),
        };
        match self.store.insert_member(&member).await {
            Ok(()) => Ok(Ok(member)),
            Err(error) if error.is_taken("members_person") => Ok(Err(InstitutionRefusal::MemberTaken)),
            Err(error) if error.is_taken("members_employee_number") => Ok(Err(InstitutionRefusal::EmployeeNumberTaken)),
            Err(error) => Err(error),
        }
    }

    async fn knows_department(&self, institution: InstitutionId, department: Option<DepartmentId>) -> Result<bool> {
        let Some(id) = department else { return Ok(true) };
        let found = self.store.find_department(id).await?;
        Ok(found.is_some_and(|department| department.institution == institution))
    }

    pub async fn member(&self, id: MemberId) -> Result<Option<Member>> {
        self.store.find_member(id).await
    }

    pub async fn member_of_person(&self, institution: InstitutionId, person: PersonId) -> Result<Option<Member>> {
        self.store.find_member_of_person(institution, person).await
    }

    /// Changes role, state, department, name or number. An institution that has an administrator keeps one.
    pub async fn change_member(&self, changed: Member) -> Result<Result<Member, InstitutionRefusal>> {
        let Some(before) = self.store.find_member(changed.id).await? else {
            return Ok(Err(InstitutionRefusal::UnknownMember));
        };
        if !self.knows_department(before.institution, changed.department).await? {
            return Ok(Err(InstitutionRefusal::UnknownDepartment));
        }
        let ruled = before.role == MemberRole::Administrator && before.state == MemberState::Active;
        let rules = changed.role == MemberRole::Administrator && changed.state == MemberState::Active;
        if ruled && !rules && self.administrators(before.institution).await? < 2 {
            return Ok(Err(InstitutionRefusal::LastAdministrator));
        }
        match self.store.update_member(&changed).await {
            Ok(()) => Ok(Ok(changed)),
            Err(error) if error.is_taken("members_employee_number") => Ok(Err(InstitutionRefusal::EmployeeNumberTaken)),
            Err(error) => Err(error),
        }
    }

    async fn administrators(&self, institution: InstitutionId) -> Result<usize> {
        let mut count = 0;
        let mut after = None;
        loop {
            let page = self.store.list_members(institution, None, after, 200).await?;
            let rules =
                |member: &&Member| member.role == MemberRole::Administrator && member.state == MemberState::Active;
            count += page.iter().filter(rules).count();
            after = match page.last() {
                Some(last) if page.len() == 200 => Some(last.id),
                Some(_) | None => return Ok(count),
            };
        }
    }

    pub async fn members(
        &self,
        institution: InstitutionId,
        search: Option<&str>,
        after: Option<MemberId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        self.store.list_members(institution, search, after, limit).await
    }

    pub async fn count_members(&self, institution: InstitutionId) -> Result<u64> {
        self.store.count_members(institution, MemberState::Active).await
    }

    /// Opens the member's dedicated account, or returns the one there is.
    pub async fn open_member_account(&self, member: MemberId) -> Result<Result<AccountId, InstitutionRefusal>> {
        let Some(found) = self.store.find_member(member).await? else {
            return Ok(Err(InstitutionRefusal::UnknownMember));
        };
        if let Some(account) = found.account {
            return Ok(Ok(account));
        }
        let Some(institution) = self.store.find(found.institution).await? else {
            return Ok(Err(InstitutionRefusal::Unknown));
        };
        let id = AccountId::new(self.env.id(member.bucket()));
        let kind = AccountKind::Member;
        let new = NewAccount {
            id,
            kind,
            owner: member.stored(),
            name: found.name,
            currency: institution.currency,
        };
        self.payments.open_account(new).await?;
        self.store.set_member_account(member, id).await?;
        // Another call may have been faster; then its account is the member's and this one stays empty.
        let kept = self.store.find_member(member).await?.and_then(|member| member.account);
        Ok(kept.ok_or(InstitutionRefusal::UnknownMember))
    }
}
