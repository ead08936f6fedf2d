//! Members from a CSV file: good lines go in, bad ones are listed with their number and reason.

use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{InstitutionId, MemberId};
use onescan_domain::institutions::MemberRole;
use onescan_domain::text;

use super::{InstitutionRefusal, Institutions, NewMember};
use crate::env::hex;
use crate::error::Result;
use crate::people::{NewPerson, People, Person, PersonRefusal};

/// The columns a file may have, by the names accepted for each (compared without case).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberColumns {
    Name,
    Login,
    IdentityKind,
    IdentityNumber,
    Email,
    EmployeeNumber,
    Department,
    Role,
}

impl MemberColumns {
    /// Name here, other accepted names, whether a file must have it.
    const TABLE: [(Self, &'static str, &'static [&'static str], bool); 8] = [
        (Self::Name, "name", &["姓名"], true),
        (Self::Login, "login", &["登录名", "账号"], true),
        (Self::IdentityKind, "identity_kind", &["证件类型"], false),
        (Self::IdentityNumber, "identity_number", &["证件号码", "证件号"], false),
        (Self::Email, "email", &["邮箱", "e-mail"], false),
        (Self::EmployeeNumber, "employee_number", &["工号"], false),
        (Self::Department, "department", &["部门"], false),
        (Self::Role, "role", &["角色"], false),
    ];

    fn of_header(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let row = Self::TABLE
            .iter()
            .find(|(_, name, others, _)| *name == text || others.contains(&text.as_str()));
        row.map(|(column, ..)| *column)
    }
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLine {
    /// As an editor counts: the header is line 1.
    pub line: u64,
    pub name: String,
    pub outcome: Result<ImportedMember, ImportProblem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedMember {
    pub member: MemberId,
    pub login: String,
    /// For a person registered by this line: to be handed over, and changed by them. Shown once.
    pub first_password: Option<String>,
}

/// Why a line, or the whole file, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportProblem {
    #[error("the file is not UTF-8 text; save it as CSV UTF-8")]
    NotUtf8,
    #[error("the file has no header line")]
    Empty,
    #[error("the columns {missing} are missing; the header has {found}")]
    MissingColumns { missing: String, found: String },
    #[error("the line has {found} fields, the header has {expected}")]
    FieldCount { expected: u64, found: u64 },
    #[error("the line cannot be read: {text}")]
    Unreadable { text: String },
    #[error("identity_kind: use user_number, credential or cross_border_credential")]
    IdentityKind,
    #[error("identity_number: {0}")]
    IdentityNumber(String),
    #[error("role: use employee or administrator")]
    Role,
    #[error("{0}")]
    Person(#[from] PersonRefusal),
    #[error("{0}")]
    Member(#[from] InstitutionRefusal),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    pub lines: Vec<ImportLine>,
}

impl ImportReport {
    pub fn taken(&self) -> usize {
        self.lines.iter().filter(|line| line.outcome.is_ok()).count()
    }

    pub fn refused(&self) -> usize {
        self.lines.len() - self.taken()
    }
}

/// One line, read but not yet checked.
#[derive(Debug, Default)]
struct Fields {
    name: String,
    login: String,
    identity_kind: String,
    identity_number: String,
    email: String,
    employee_number: String,
    department: String,
    role: String,
}

impl Institutions {
    /// Reads a CSV file (comma, semicolon or tab; with or without byte order mark; LF or CRLF) and takes in each good line.
    ///
    /// A line whose identity or sign-in name is registered binds that person; any other registers one with a first password.
    /// Departments that do not exist are made. Running the same file again refuses each line as a member already and changes
    /// nothing. The error is for a file that cannot be read at all; then nothing was taken.
    pub async fn import_members(
        &self,
        people: &People,
        institution: InstitutionId,
        file: &[u8],
    ) -> Result<Result<ImportReport, ImportProblem>> {
        let lines = match read(file) {
            Ok(lines) => lines,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut report = ImportReport::default();
        for (line, fields) in lines {
            let (name, outcome) = match fields {
                Ok(fields) => (
                    fields.name.clone(),
                    self.import_line(people, institution, &fields).await?,
                ),
                Err(problem) => (String::new(), Err(problem)),
            };
            report.lines.push(ImportLine { line, name, outcome });
        }
        Ok(Ok(report))
    }

    async fn import_line(
        &self,
        people: &People,
        institution: InstitutionId,
        fields: &Fields,
    ) -> Result<Result<ImportedMember, ImportProblem>> {
        let (identity, role) = match (identity(fields), role(&fields.role)) {
            (Ok(identity), Ok(role)) => (identity, role),
            (Err(problem), _) | (_, Err(problem)) => return Ok(Err(problem)),
        };
        if let Err(refusal) = self
            .check_member(people, institution, fields, identity.as_ref())
            .await?
        {
            return Ok(Err(refusal.into()));
        }
        let (person, first_password) = match self.person(people, institution, fields, identity).await? {
            Ok(person) => person,
            Err(problem) => return Ok(Err(problem)),
        };
        let department = match fields.department.as_str() {
            "" => None,
            name => match self.department(institution, name).await? {
                Ok(department) => Some(department),
                Err(refusal) => return Ok(Err(refusal.into())),
            },
        };
        let employee_number = Some(fields.employee_number.clone());
        let new = NewMember {
            person: person.id,
            name: fields.name.clone(),
            employee_number,
            department,
            role,
        };
        let added = self.add_member(institution, new).await?;
        let imported = |member: onescan_domain::institutions::Member| ImportedMember {
            member: member.id,
            login: person.login.clone(),
            first_password,
        };
        Ok(added.map(imported).map_err(ImportProblem::from))
    }

    /// Whatever would keep the line's person from becoming a member, before anything is written for it.
    async fn check_member(
        &self,
        people: &People,
        institution: InstitutionId,
        fields: &Fields,
        identity: Option<&IdentityId>,
    ) -> Result<Result<(), InstitutionRefusal>> {
        let optional = |value, max| text::optional_line(Some(value), max).map(drop);
        let checked = [
            ("name", text::line(&fields.name, 100).map(drop)),
            ("employee_number", optional(&fields.employee_number, 64)),
            ("department", optional(&fields.department, 100)),
        ];
        for (field, checked) in checked {
            if let Err(error) = checked {
                return Ok(Err(InstitutionRefusal::Text { field, error }));
            }
        }
        if let Some(person) = known_person(people, fields, identity).await?
            && self
                .store
                .find_member_of_person(institution, person.id)
                .await?
                .is_some()
        {
            return Ok(Err(InstitutionRefusal::MemberTaken));
        }
        let number = fields.employee_number.as_str();
        if !number.is_empty() && self.store.find_member_of_number(institution, number).await?.is_some() {
            return Ok(Err(InstitutionRefusal::EmployeeNumberTaken));
        }
        Ok(Ok(()))
    }

    /// The person a line names, registered now when unknown.
    async fn person(
        &self,
        people: &People,
        institution: InstitutionId,
        fields: &Fields,
        identity: Option<IdentityId>,
    ) -> Result<Result<(Person, Option<String>), ImportProblem>> {
        if let Some(person) = known_person(people, fields, identity.as_ref()).await? {
            return Ok(Ok((person, None)));
        }
        let Some(institution) = self.find(institution).await? else {
            return Ok(Err(InstitutionRefusal::Unknown.into()));
        };
        let password = hex(&self.env.bytes::<8>());
        let new = NewPerson {
            login: fields.login.clone(),
            name: fields.name.clone(),
            password: password.clone(),
            identity,
            email: Some(fields.email.clone()),
            language: if institution.time_zone.starts_with("Asia/Shanghai") {
                "zh"
            } else {
                "en"
            }
            .to_owned(),
            currency: institution.currency,
            time_zone: institution.time_zone,
        };
        let registered = people.register(new).await?;
        Ok(registered
            .map(|person| (person, Some(password)))
            .map_err(ImportProblem::from))
    }

    async fn department(
        &self,
        institution: InstitutionId,
        name: &str,
    ) -> Result<Result<onescan_domain::ids::DepartmentId, InstitutionRefusal>> {
        let known = self
            .departments(institution)
            .await?
            .into_iter()
            .find(|department| department.name == name.trim());
        match known {
            Some(department) => Ok(Ok(department.id)),
            None => Ok(self
                .add_department(institution, name)
                .await?
                .map(|department| department.id)),
        }
    }
}

async fn known_person(people: &People, fields: &Fields, identity: Option<&IdentityId>) -> Result<Option<Person>> {
    match identity {
        Some(identity) => people.find_by_identity(identity).await,
        None => people.find_by_login(&fields.login).await,
    }
}

fn identity(fields: &Fields) -> Result<Option<IdentityId>, ImportProblem> {
    if fields.identity_number.is_empty() {
        return Ok(None);
    }
    let kind = match fields.identity_kind.as_str() {
        "" => IdentityKind::Credential,
        name => IdentityKind::parse(name).ok_or(ImportProblem::IdentityKind)?,
    };
    let identity = IdentityId::new(kind, &fields.identity_number);
    identity
        .map(Some)
        .map_err(|error| ImportProblem::IdentityNumber(error.to_string()))
}

fn role(text: &str) -> Result<MemberRole, ImportProblem> {
    match text {
        "" => Ok(MemberRole::Employee),
        name => MemberRole::parse(&name.to_lowercase()).ok_or(ImportProblem::Role),
    }
}

type ReadLine = (u64, Result<Fields, ImportProblem>);

/// Splits a file into lines and fields, without judging what they say.
fn read(file: &[u8]) -> Result<Vec<ReadLine>, ImportProblem> {
    let text = std::str::from_utf8(file).map_err(|_| ImportProblem::NotUtf8)?;
    let text = text.trim_start_matches('\u{feff}');
    let header = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .ok_or(ImportProblem::Empty)?;
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|mark| header.bytes().filter(|byte| byte == mark).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| ImportProblem::Unreadable {
            text: error.to_string(),
        })?
        .clone();
    let columns: Vec<Option<MemberColumns>> = header.iter().map(MemberColumns::of_header).collect();
    check_columns(&columns, &header)?;
    let records = reader.records().map(|record| match record {
        Ok(record) => {
            let line = record.position().map_or(0, |place| line_at(text, place));
            (line, Ok(Fields::of(&columns, &record)))
        }
        Err(error) => {
            let line = error.position().map_or(0, |place| line_at(text, place));
            (line, Err(problem_of(&error)))
        }
    });
    Ok(records.collect())
}

/// The line on which a record begins. The reader's own count is one behind after CR LF and knows nothing of empty lines.
fn line_at(text: &str, place: &csv::Position) -> u64 {
    let begin = usize::try_from(place.byte()).map_or(text.len(), |begin| begin.min(text.len()));
    let bytes = text.as_bytes();
    let ends = bytes[begin..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let before = bytes[..begin + ends].iter().filter(|byte| **byte == b'\n').count();
    before as u64 + 1
}

fn check_columns(columns: &[Option<MemberColumns>], header: &csv::StringRecord) -> Result<(), ImportProblem> {
    let absent = MemberColumns::TABLE
        .iter()
        .filter(|(column, .., must)| *must && !columns.contains(&Some(*column)));
    let missing: Vec<&str> = absent.map(|(_, name, ..)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let found = header.iter().collect::<Vec<_>>().join(", ");
    Err(ImportProblem::MissingColumns {
        missing: missing.join(", "),
        found,
    })
}

fn problem_of(error: &csv::Error) -> ImportProblem {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => ImportProblem::FieldCount {
            expected: *expected_len,
            found: *len,
        },
        _ => ImportProblem::Unreadable {
            text: error.to_string(),
        },
    }
}

impl Fields {
    fn of(columns: &[Option<MemberColumns>], record: &csv::StringRecord) -> Self {
        let mut fields = Self::default();
        for (column, value) in columns.iter().zip(record) {
            let place = match column {
                Some(MemberColumns::Name) => &mut fields.name,
                Some(MemberColumns::Login) => &mut fields.login,
                Some(MemberColumns::IdentityKind) => &mut fields.identity_kind,
                Some(MemberColumns::IdentityNumber) => &mut fields.identity_number,
                Some(MemberColumns::Email) => &mut fields.email,
                Some(MemberColumns::EmployeeNumber) => &mut fields.employee_number,
                Some(MemberColumns::Department) => &mut fields.department,
                Some(MemberColumns::Role) => &mut fields.role,
                None => continue,
            };
            value.clone_into(place);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expected: &str) {
        let text = match read(file) {
            Err(problem) => problem.to_string(),
            Ok(lines) => {
                let shown = lines.iter().map(|(line, fields)| match fields {
                    Ok(fields) => format!("{line} {}/{}", fields.name, fields.department),
                    Err(problem) => format!("{line} {problem}"),
                });
                shown.collect::<Vec<_>>().join("; ")
            }
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn files_of_all_habits_are_read() {
        check(b"name,login,department\nAda,ada,R&D\n", "2 Ada/R&D");
        check(
            "\u{feff}姓名;登录名;部门\r\n李雷;lilei;研发\r\n".as_bytes(),
            "2 李雷/研发",
        );
        check(
            b"Name\tLOGIN\tx\n\"Ada\nB\"\tada\t1\nBob\tbob\t2\n",
            "2 Ada\nB/; 4 Bob/",
        );
        check(b"name,login\r\n\r\nAda,ada\r\n\r\nBob,bob", "3 Ada/; 5 Bob/");
        check(
            b"name,login\nAda\nBob,bob\n",
            "2 the line has 1 fields, the header has 2; 3 Bob/",
        );
    }

    #[test]
    fn unusable_files_say_why() {
        check(b"", "the file has no header line");
        check(
            &[0xc0, 0xee, 0xc0, 0xd7],
            "the file is not UTF-8 text; save it as CSV UTF-8",
        );
        check(
            b"name,department\nAda,R&D\n",
            "the columns login are missing; the header has name, department",
        );
    }
}
