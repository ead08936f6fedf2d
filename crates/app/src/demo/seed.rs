//! Fills a new demo through the use cases, with a clock that stands in the past.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};
use onescan_domain::codes::{Categories, CodeRecord, MemberAccess, Scenario};
use onescan_domain::ids::{AccountId, DepartmentId, InstitutionId, MerchantId, PersonId, ScenarioId};
use onescan_domain::institutions::{Institution, MemberRole};
use onescan_domain::merchants::{TerminalRole, TerminalTrust};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::ledger::TransferKind;
use onescan_domain::policy::Policy;
use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_platforms::access::{Actor, Freshness, KeyHolder, Passwords};
use onescan_platforms::env::{Clock, Env, IdOrder};
use onescan_platforms::institutions::{NewInstitution, NewMember};
use onescan_platforms::merchants::{NewMerchant, NewStore, NewTerminal};
use onescan_platforms::payments::{Idempotency, MoveRequest, TerminalFacts};
use onescan_platforms::people::{NewPerson, Person};
use onescan_platforms::profiles::NewProfile;
use onescan_platforms::services::Services;
use onescan_store::Store;
use onescan_store::config::DbConfig;
use onescan_store::db::Db;
use onescan_store::migrate::{MIGRATIONS, Migrator};

use super::Content;
use super::cast::{COMPANIES, Company, Member, PASSWORD, Place, SHOPS, Shop, Spending, Title, Wallet};
use super::history::{self, Payer, Till};
use super::invoices;
use super::rides::Traffic;
use super::sheet::{Sheet, SheetPerson, SheetProgram, SheetRole, SheetTill};
use crate::config::Config;
use crate::elsewhere::Places;
use crate::env::{self, SystemClock, SystemEntropy};
use crate::wiring::House;

/// Days of the past in which payments were made, and rides; everything else was made a week earlier.
const DAYS: i64 = 30;
/// What is put into a wallet, in minor units.
const WALLET_MINOR: i64 = 60_000;
const RIDE_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;

/// Stands where it was put.
#[derive(Debug)]
pub(super) struct PastClock(AtomicI64);

impl PastClock {
    pub(super) fn set(&self, at_ms: i64) {
        self.0.store(at_ms, Ordering::Relaxed);
    }
}

impl Clock for PastClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything while filling.
pub(super) struct Seeding {
    pub(super) clock: Arc<PastClock>,
    pub(super) house: House,
    sheet: Sheet,
    payers: Vec<Payer>,
    tills: Vec<Till>,
    /// Logins of people, and the companies, as they were made.
    people: Vec<(String, PersonId)>,
    companies: Vec<InstitutionId>,
}

/// Migrates and fills the database, and closes it. Returns who is in it.
pub(super) async fn seed(config: &Config, database: &DbConfig, content: Content) -> Result<Sheet> {
    let db = Db::open(database)
        .await
        .context("the demo's database cannot be opened")?;
    let now = SystemClock.now_ms();
    Migrator::new(&db, MIGRATIONS).apply(now).await?;
    let store = Arc::new(Store::new(db));
    let clock = Arc::new(PastClock(AtomicI64::new(now - (RIDE_DAYS + 7) * DAY_MS)));
    let env = Env {
        clock: clock.clone(),
        entropy: Arc::new(SystemEntropy::default()),
        secret: env::secret(config)?,
        ids: IdOrder::default(),
        shared_buckets: store.shared_buckets(config.database.shared_buckets()).await?,
    };
    let passwords = Passwords::new(env.clone(), config.passwords.memory_kib, config.passwords.passes);
    let mut seeding = Seeding {
        clock,
        house: House::build(env, store, config, Places::default())?,
        sheet: Sheet::default(),
        payers: Vec::new(),
        tills: Vec::new(),
        people: Vec::new(),
        companies: Vec::new(),
    };
    if content == Content::Invented {
        seeding.everybody(passwords).await?;
        seeding.ride(now).await?;
        history::play(&seeding, &seeding.payers, &seeding.tills, now, DAYS).await?;
    }
    seeding.clock.set(now);
    seeding.fill_wallets().await?;
    seeding.operator().await?;
    let Seeding { house, sheet, .. } = seeding;
    house.close().await;
    Ok(sheet)
}

impl Seeding {
    pub(super) fn services(&self) -> &Services {
        &self.house.services
    }

    pub(super) fn program(&mut self, program: SheetProgram) {
        self.sheet.programs.push(program);
    }

    pub(super) async fn pocket_money(&self, person: PersonId, minor: i64) -> Result<()> {
        let person = self
            .services()
            .people
            .find(person)
            .await?
            .context("the person is there")?;
        match minor {
            0 => Ok(()),
            minor => self.top_up(person.account, person.currency, minor).await,
        }
    }

    pub(super) fn till(&mut self, till: SheetTill) {
        self.sheet.tills.push(till);
    }

    /// The rides of the last months, and one that is under way.
    async fn ride(&mut self, now: i64) -> Result<()> {
        let company = *self.companies.last().context("there is a company")?;
        let people = self.people.clone();
        let mut traffic = Traffic::open(self, company, &people, RIDE_DAYS).await?;
        for day in (1..=RIDE_DAYS).rev() {
            traffic.play(self, now, day).await?;
        }
        traffic.set_off(self, now).await
    }

    async fn everybody(&mut self, passwords: Passwords) -> Result<()> {
        // One hash for all: making thirteen would take most of a second.
        let hash = passwords.hash(PASSWORD, "").await??;
        for company in COMPANIES {
            self.company(company, &hash).await?;
        }
        let citizen = Member {
            name: "林涛",
            login: "lin.tao",
            employee_number: "",
            department: "",
            place: Place::Employee,
            wallet: Wallet::Own { profiles: 0 },
            what: "只有个人码 / pays with his own money only",
        };
        let person = self.person(&COMPANIES[0], &citizen, &hash).await?;
        self.wallet(&person, &citizen).await?;
        for shop in SHOPS {
            self.shop(shop).await?;
        }
        Ok(())
    }

    async fn company(&mut self, company: &Company, hash: &str) -> Result<()> {
        let institution = self.institution(company, None, company.name).await?;
        self.companies.push(institution.id);
        let branch = match company.branch {
            "" => None,
            name => Some(self.institution(company, Some(institution.id), name).await?),
        };
        self.top_up(institution.account, institution.currency, company.funds_minor)
            .await?;
        let members = MemberAccess::ThroughInstitution;
        let record = self
            .services()
            .processing
            .enable_institution(&institution, members)
            .await?;
        let mut scenarios = Vec::new();
        for spending in company.scenarios {
            scenarios.push(self.scenario(&record, spending).await?);
        }
        for title in company.titles {
            self.company_title(&record, title, &scenarios).await?;
        }
        let mut departments = Vec::new();
        for name in company.departments {
            departments.push(
                self.services()
                    .institutions
                    .add_department(institution.id, name)
                    .await??,
            );
        }
        for member in company.members {
            let person = self.person(company, member, hash).await?;
            let home = match (member.place, &branch) {
                (Place::Branch, Some(branch)) => branch.id,
                (Place::Branch | Place::Administrator | Place::Employee, _) => institution.id,
            };
            let department = departments
                .iter()
                .find(|department| department.name == member.department);
            self.member(
                &record,
                home,
                &person,
                member,
                department.map(|department| department.id),
            )
            .await?;
            self.wallet(&person, member).await?;
        }
        let key = self
            .services()
            .access
            .issue_key(KeyHolder::Institution(institution.id), "demo")
            .await?;
        self.sheet.programs.push(SheetProgram {
            name: institution.name.clone(),
            kind: "institution".to_owned(),
            id: institution.id.to_string(),
            key: key.text,
            prominent: true,
        });
        Ok(())
    }

    async fn institution(&self, company: &Company, parent: Option<InstitutionId>, name: &str) -> Result<Institution> {
        let new = NewInstitution {
            parent,
            name: name.to_owned(),
            currency: currency(company.currency)?,
            time_zone: company.time_zone.to_owned(),
            bucket: None,
        };
        Ok(self.services().institutions.create(new).await??)
    }

    async fn scenario(&self, record: &CodeRecord, spending: &Spending) -> Result<Scenario> {
        let scenario = Scenario {
            id: ScenarioId::new(self.services().env.id(record.bucket)),
            record: record.id.clone(),
            name: spending.name.to_owned(),
            categories: Categories::parse(spending.categories)?,
            policy: Policy::parse(spending.policy)?,
            created_at: self.clock.now_ms(),
        };
        self.services()
            .codes
            .put_scenario(record.bucket, scenario.clone())
            .await?;
        Ok(scenario)
    }

    async fn company_title(&self, record: &CodeRecord, title: &Title, scenarios: &[Scenario]) -> Result<()> {
        let tied = scenarios.iter().filter(|scenario| scenario.name == title.scenario);
        let new = NewProfile {
            fields: ProfileFields {
                tax_number: Some(title.tax_number.to_owned()),
                channel: DeliveryChannel::Email(title.email.to_owned()),
                ..ProfileFields::new(TitleKind::Company, title.title)
            },
            scenarios: tied.map(|scenario| scenario.id).collect(),
            preferred: title.scenario.is_empty(),
        };
        self.services().profiles.create(record.bucket, &record.id, new).await?;
        Ok(())
    }

    async fn person(&mut self, company: &Company, member: &Member, hash: &str) -> Result<Person> {
        let new = NewPerson {
            login: member.login.to_owned(),
            name: member.name.to_owned(),
            password: PASSWORD.to_owned(),
            identity: None,
            email: Some(format!("{}@example.org", member.login)),
            language: company.language.to_owned(),
            currency: currency(company.currency)?,
            time_zone: company.time_zone.to_owned(),
        };
        let person = self.services().people.register_hashed(new, hash).await??;
        self.people.push((member.login.to_owned(), person.id));
        self.sheet.people.push(SheetPerson {
            name: member.name.to_owned(),
            login: member.login.to_owned(),
            password: PASSWORD.to_owned(),
            what: member.what.to_owned(),
            prominent: !member.what.is_empty(),
        });
        Ok(person)
    }

    async fn member(
        &mut self,
        record: &CodeRecord,
        institution: InstitutionId,
        person: &Person,
        member: &Member,
        department: Option<DepartmentId>,
    ) -> Result<()> {
        let role = match member.place {
            Place::Administrator => MemberRole::Administrator,
            Place::Employee | Place::Branch => MemberRole::Employee,
        };
        let new = NewMember {
            person: person.id,
            name: member.name.to_owned(),
            employee_number: Some(member.employee_number.to_owned()),
            department,
            role,
        };
        let added = self.services().institutions.add_member(institution, new).await??;
        self.payers.push(Payer {
            record: record.clone(),
            person: person.id,
            member: Some(added.id),
            device: format!("{}-phone", member.login),
        });
        Ok(())
    }

    /// A code record of their own, with money and invoice profiles.
    async fn wallet(&mut self, person: &Person, member: &Member) -> Result<()> {
        let Wallet::Own { profiles } = member.wallet else {
            return Ok(());
        };
        // Who lets name and address be read has a first profile from the beginning.
        let consent = (profiles > 0).then(|| vec!["name".to_owned(), "email".to_owned()]);
        let enabled = self.services().processing.enable(person, consent, None).await?;
        for number in 1..profiles {
            self.own_title(&enabled.record, person, number).await?;
        }
        self.top_up(person.account, person.currency, WALLET_MINOR).await?;
        self.payers.push(Payer {
            record: enabled.record,
            person: person.id,
            member: None,
            device: format!("{}-phone", member.login),
        });
        Ok(())
    }

    async fn own_title(&self, record: &CodeRecord, person: &Person, number: usize) -> Result<()> {
        let title = match (person.language.as_str(), number) {
            ("zh", 1) => "杭州示例咨询工作室",
            ("zh", _) => "示例读书会",
            (_, 1) => "Example Consulting",
            (_, _) => "Example Book Club",
        };
        let new = NewProfile {
            fields: ProfileFields {
                tax_number: Some(format!("92330106MA2B{number:04}XY")),
                ..ProfileFields::new(TitleKind::Company, title)
            },
            scenarios: Vec::new(),
            preferred: false,
        };
        self.services().profiles.create(record.bucket, &record.id, new).await?;
        Ok(())
    }

    async fn shop(&mut self, shop: &Shop) -> Result<()> {
        let new = NewMerchant {
            name: shop.name.to_owned(),
            category: shop.category.to_owned(),
            currency: currency(shop.currency)?,
        };
        let merchant = self.services().merchants.create(new).await??;
        invoices::set_up(self, &merchant, shop.city).await?;
        let new = NewStore {
            name: shop.store.to_owned(),
            category: None,
            city: shop.city.to_owned(),
        };
        let store = self.services().merchants.add_store(merchant.id, new).await??;
        let prominent = matches!(shop.category, "5812" | "5814");
        for (name, role) in [
            (shop.till, TerminalRole::Cashier),
            (shop.invoices, TerminalRole::Invoice),
        ] {
            let new = NewTerminal {
                store: store.id,
                name: name.to_owned(),
                role,
                trust: TerminalTrust::Full,
                may_assert_paid: role == TerminalRole::Invoice,
            };
            let (_, key) = self.services().merchants.add_terminal(merchant.id, new).await??;
            if role == TerminalRole::Cashier {
                let terminal = self.facts(&key.text).await?;
                self.tills.push(Till {
                    terminal,
                    currency: merchant.currency,
                    category: merchant.category,
                });
            }
            self.sheet.tills.push(SheetTill {
                name: name.to_owned(),
                merchant: shop.name.to_owned(),
                key: key.text,
                role: match role {
                    TerminalRole::Cashier => SheetRole::Cashier,
                    TerminalRole::Invoice => SheetRole::Invoice,
                    TerminalRole::Gate => unreachable!("no shop of the demo has a gate"),
                },
                what: shop.what.to_owned(),
                prominent,
            });
        }
        self.back_office(merchant.id, shop).await
    }

    async fn back_office(&mut self, merchant: MerchantId, shop: &Shop) -> Result<()> {
        let key = self
            .services()
            .access
            .issue_key(KeyHolder::Merchant(merchant), "back office")
            .await?;
        self.sheet.programs.push(SheetProgram {
            name: shop.name.to_owned(),
            kind: "merchant".to_owned(),
            id: merchant.to_string(),
            key: key.text,
            prominent: false,
        });
        Ok(())
    }

    async fn facts(&self, key: &str) -> Result<TerminalFacts> {
        match self.services().access.authenticate(key, Freshness::Checked).await?? {
            Actor::Terminal(actor) => Ok(actor.facts),
            Actor::Person(_) | Actor::Institution { .. } | Actor::Merchant { .. } | Actor::Operator { .. } => {
                anyhow::bail!("a terminal's key stands for a terminal")
            }
        }
    }

    async fn operator(&mut self) -> Result<()> {
        let key = self.services().access.issue_key(KeyHolder::Operator, "demo").await?;
        self.sheet.programs.push(SheetProgram {
            name: "operator".to_owned(),
            kind: "operator".to_owned(),
            id: String::new(),
            key: key.text,
            prominent: true,
        });
        Ok(())
    }

    /// Whatever the month has cost: everybody can pay when the demo begins.
    async fn fill_wallets(&self) -> Result<()> {
        let own = self.payers.iter().filter(|payer| payer.member.is_none());
        for payer in own {
            let account = self.services().payments.account(payer.record.account).await?;
            let account = account.context("a wallet has its account")?;
            if account.available_minor() < WALLET_MINOR / 2 {
                self.top_up(account.id, account.currency, WALLET_MINOR).await?;
            }
        }
        Ok(())
    }

    async fn top_up(&self, account: AccountId, currency: Currency, minor: i64) -> Result<()> {
        let request = MoveRequest {
            kind: TransferKind::TopUp,
            debit: None,
            credit: account,
            amount: Money::new(minor, currency),
            idempotency: Idempotency {
                caller: "demo".to_owned(),
                key: format!("{account}/{}", self.services().env.now_ms()),
                fingerprint: minor.to_string(),
            },
        };
        self.services().payments.move_money(request).await??;
        Ok(())
    }
}

fn currency(code: &str) -> Result<Currency> {
    Currency::parse(code).with_context(|| format!("{code} is a currency"))
}
