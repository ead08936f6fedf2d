//! Institutions, departments and members. A whole tree of institutions lies in one bucket, its members with it; the
//! person's side of a membership lies in the person's bucket.

use async_trait::async_trait;
use onescan_domain::ids::{AccountId, DepartmentId, InstitutionId, MemberId, PersonId};
use onescan_domain::institutions::{Department, Institution, Member, MemberRole, MemberState};
use onescan_domain::payments::ledger::AccountKind;
use onescan_platforms::error::Result;
use onescan_platforms::institutions::InstitutionStore;
use onescan_platforms::payments::NewAccount;

use crate::decode::{currency, id, opt_id, parsed};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::Call;
use crate::{Store, accounts, params, statements};

macro_rules! institution_columns {
    () => {
        "id, parent_id, name, currency, time_zone, account_id, created_at"
    };
}

macro_rules! member_columns {
    () => {
        "id, institution_id, person_id, name, employee_number, department_id, role, state, account_id, created_at"
    };
}

statements! {
    INSERT = "insert into institutions (bucket, id, parent_id, name, currency, time_zone, account_id, created_at)
        values (:bucket, :id::text, :parent::text, :name::text, :currency::text, :time_zone::text, :account::text,
            :created_at)";
    FIND = concat!("select ", institution_columns!(), " from institutions where bucket = :bucket and id = :id::text");
    LIST_ALL_BUCKETS = concat!(
        "select ", institution_columns!(), " from institutions
            where id > :after::text order by id limit :limit"
    );
    LIST_CHILDREN = concat!(
        "select ", institution_columns!(), " from institutions
            where bucket = :bucket and parent_id = :parent::text order by id"
    );
    INSERT_DEPARTMENT = "insert into departments (bucket, id, institution_id, name, search)
        values (:bucket, :id::text, :institution::text, :name::text, :search::text)";
    FIND_DEPARTMENT = "select id, institution_id, name from departments where bucket = :bucket and id = :id::text";
    LIST_DEPARTMENTS = "select id, institution_id, name from departments
        where bucket = :bucket and institution_id = :institution::text order by id";
    INSERT_MEMBER = "insert into members (bucket, id, institution_id, person_id, name, employee_number, department_id,
            role, state, account_id, created_at, search)
        values (:bucket, :id::text, :institution::text, :person::text, :name::text, :employee_number::text,
            :department::text, :role::text, :state::text, :account::text, :created_at, :search::text)
        on conflict (bucket, institution_id, person_id) do nothing";
    INSERT_MEMBERSHIP = "insert into memberships (bucket, person_id, institution_id, member_id)
        values (:bucket, :person::text, :institution::text, :member::text)";
    FIND_MEMBER = concat!("select ", member_columns!(), " from members where bucket = :bucket and id = :id::text");
    FIND_MEMBER_OF_PERSON = concat!(
        "select ", member_columns!(), " from members
            where bucket = :bucket and institution_id = :institution::text and person_id = :person::text"
    );
    FIND_MEMBER_OF_NUMBER = concat!(
        "select ", member_columns!(), " from members
            where bucket = :bucket and institution_id = :institution::text and employee_number = :number::text"
    );
    UPDATE_MEMBER = "update members set name = :name::text, employee_number = :employee_number::text,
            department_id = :department::text, role = :role::text, state = :state::text, search = :search::text
        where bucket = :bucket and id = :id::text";
    LIST_MEMBERS = concat!(
        "select ", member_columns!(), " from members
            where bucket = :bucket and institution_id = :institution::text and id > :after::text
            order by id limit :limit"
    );
    SEARCH_MEMBERS = concat!(
        "select ", member_columns!(), " from members
            where bucket = :bucket and institution_id = :institution::text and id > :after::text
            and (search like :pattern::text escape '!' or department_id in (
                select id from departments where bucket = :bucket and institution_id = :institution::text
                and search like :pattern::text escape '!'))
            order by id limit :limit"
    );
    COUNT_MEMBERS = "select count(*) from members
        where bucket = :bucket and institution_id = :institution::text and state = :state::text";
    SET_MEMBER_ACCOUNT = "update members set account_id = :account::text
        where bucket = :bucket and id = :id::text and account_id is null";
}

#[async_trait]
impl InstitutionStore for Store {
    async fn insert(&self, institution: &Institution) -> Result<()> {
        let account = NewAccount {
            id: institution.account,
            kind: match institution.parent {
                None => AccountKind::Institution,
                Some(_) => AccountKind::SubInstitution,
            },
            owner: institution.id.stored(),
            name: institution.name.clone(),
            currency: institution.currency,
        };
        let input = (institution.clone(), account);
        let inserting = self.db.write_with(input, |tx, (institution, account)| {
            let insert = Call::one(&INSERT, institution_values(institution));
            let open = accounts::open(account, institution.created_at);
            Box::pin(async move { tx.execute_all(vec![insert, open]).await })
        });
        Ok(inserting.await.map(drop)?)
    }

    async fn find(&self, id: InstitutionId) -> Result<Option<Institution>> {
        let found = self.db.query_opt(&FIND, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(institution).transpose()?)
    }

    async fn list(&self, after: Option<InstitutionId>, limit: u32) -> Result<Vec<Institution>> {
        let page = params![after.map(InstitutionId::stored).unwrap_or_default(), limit];
        let rows = self.list_long(&LIST_ALL_BUCKETS, page).await?;
        Ok(rows.into_iter().map(institution).collect::<Result<_, _>>()?)
    }

    async fn list_children(&self, id: InstitutionId) -> Result<Vec<Institution>> {
        let key = params![id.bucket().number(), id.stored()];
        let rows = self.db.query(&LIST_CHILDREN, key).await?;
        Ok(rows.into_iter().map(institution).collect::<Result<_, _>>()?)
    }

    async fn insert_department(&self, department: &Department) -> Result<()> {
        let row = params![
            department.institution.bucket().number(),
            department.id.stored(),
            department.institution.stored(),
            &department.name,
            department.name.to_lowercase()
        ];
        Ok(self.change_one(&INSERT_DEPARTMENT, row).await?)
    }

    async fn list_departments(&self, institution: InstitutionId) -> Result<Vec<Department>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let rows = self.list_long(&LIST_DEPARTMENTS, key).await?;
        Ok(rows.into_iter().map(department).collect::<Result<_, _>>()?)
    }

    async fn find_department(&self, id: DepartmentId) -> Result<Option<Department>> {
        let found = self
            .db
            .query_opt(&FIND_DEPARTMENT, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(department).transpose()?)
    }

    async fn insert_member(&self, member: &Member) -> Result<()> {
        let inserting = self.db.write_with(member.clone(), |tx, member| {
            Box::pin(async move {
                if tx.execute(&INSERT_MEMBER, member_values(member)).await? == 0 {
                    let constraint = "members_person".to_owned();
                    return Err(DbError::Unique { constraint });
                }
                tx.execute_one(&INSERT_MEMBERSHIP, membership_values(member)).await
            })
        });
        Ok(inserting.await?)
    }

    async fn find_member(&self, id: MemberId) -> Result<Option<Member>> {
        let found = self
            .db
            .query_opt(&FIND_MEMBER, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(member).transpose()?)
    }

    async fn find_member_of_person(&self, institution: InstitutionId, person: PersonId) -> Result<Option<Member>> {
        let key = params![institution.bucket().number(), institution.stored(), person.stored()];
        let found = self.db.query_opt(&FIND_MEMBER_OF_PERSON, key);
        Ok(found.await?.map(member).transpose()?)
    }

    async fn find_member_of_number(&self, institution: InstitutionId, employee_number: &str) -> Result<Option<Member>> {
        let key = params![institution.bucket().number(), institution.stored(), employee_number];
        let found = self.db.query_opt(&FIND_MEMBER_OF_NUMBER, key);
        Ok(found.await?.map(member).transpose()?)
    }

    async fn update_member(&self, member: &Member) -> Result<()> {
        let row = params![
            &member.name,
            member.employee_number.as_deref(),
            member.department.map(DepartmentId::stored),
            member.role.name(),
            member.state.name(),
            searched_text(member),
            member.id.bucket().number(),
            member.id.stored()
        ];
        Ok(self.change_one(&UPDATE_MEMBER, row).await?)
    }

    async fn list_members(
        &self,
        institution: InstitutionId,
        search: Option<&str>,
        after: Option<MemberId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let bucket = institution.bucket().number();
        let after = after.map(MemberId::stored).unwrap_or_default();
        let listing = match search {
            None => self.list_long(&LIST_MEMBERS, params![bucket, institution.stored(), after, limit]),
            Some(part) => {
                let key = params![bucket, institution.stored(), after, pattern(part), limit];
                self.list_long(&SEARCH_MEMBERS, key)
            }
        };
        let rows = listing.await?;
        Ok(rows.into_iter().map(member).collect::<Result<_, _>>()?)
    }

    async fn count_members(&self, institution: InstitutionId, state: MemberState) -> Result<u64> {
        let key = params![institution.bucket().number(), institution.stored(), state.name()];
        let rows = self.list_long(&COUNT_MEMBERS, key).await?;
        Ok(rows.first().map(|row| row.number(0)).transpose()?.unwrap_or(0))
    }

    async fn set_member_account(&self, member: MemberId, account: AccountId) -> Result<()> {
        let row = params![account.stored(), member.bucket().number(), member.stored()];
        Ok(self.change(&SET_MEMBER_ACCOUNT, row).await.map(drop)?)
    }
}

fn institution_values(institution: &Institution) -> Vec<Value> {
    params![
        institution.id.bucket().number(),
        institution.id.stored(),
        institution.parent.map(InstitutionId::stored),
        &institution.name,
        institution.currency.code(),
        &institution.time_zone,
        institution.account.stored(),
        institution.created_at
    ]
}

fn member_values(member: &Member) -> Vec<Value> {
    params![
        member.id.bucket().number(),
        member.id.stored(),
        member.institution.stored(),
        member.person.stored(),
        &member.name,
        member.employee_number.as_deref(),
        member.department.map(DepartmentId::stored),
        member.role.name(),
        member.state.name(),
        member.account.map(AccountId::stored),
        member.created_at,
        searched_text(member)
    ]
}

fn membership_values(member: &Member) -> Vec<Value> {
    params![
        member.person.bucket().number(),
        member.person.stored(),
        member.institution.stored(),
        member.id.stored()
    ]
}

/// Small letters are made here, because SQLite knows only those of ASCII and PostgreSQL those of its locale.
fn searched_text(member: &Member) -> String {
    let number = member.employee_number.as_deref().unwrap_or_default();
    format!("{}\n{number}", member.name).to_lowercase()
}

/// `part` anywhere, in a `like … escape '!'`.
fn pattern(part: &str) -> String {
    let mut pattern = String::from("%");
    for letter in part.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn institution(mut row: Row) -> Result<Institution, DbError> {
    Ok(Institution {
        id: id(&row, 0, InstitutionId::new)?,
        parent: opt_id(&row, 1, InstitutionId::new)?,
        name: row.take_text(2)?,
        currency: currency(&row, 3)?,
        time_zone: row.take_text(4)?,
        account: id(&row, 5, AccountId::new)?,
        created_at: row.int(6)?,
    })
}

fn department(mut row: Row) -> Result<Department, DbError> {
    Ok(Department {
        id: id(&row, 0, DepartmentId::new)?,
        institution: id(&row, 1, InstitutionId::new)?,
        name: row.take_text(2)?,
    })
}

fn member(mut row: Row) -> Result<Member, DbError> {
    Ok(Member {
        id: id(&row, 0, MemberId::new)?,
        institution: id(&row, 1, InstitutionId::new)?,
        person: id(&row, 2, PersonId::new)?,
        name: row.take_text(3)?,
        employee_number: row.take_opt_text(4)?,
        department: opt_id(&row, 5, DepartmentId::new)?,
        role: parsed(&row, 6, "role", MemberRole::parse)?,
        state: parsed(&row, 7, "member state", MemberState::parse)?,
        account: opt_id(&row, 8, AccountId::new)?,
        created_at: row.int(9)?,
    })
}
