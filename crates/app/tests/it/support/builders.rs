//! Who takes part in a test, made through the use cases: people with money, institutions, merchants.
//!
//! [`Cast`] is the usual company: an institution with an administrator and a member, a restaurant with both terminals, and
//! a person who pays with their own money.

use onescan_domain::codes::{Categories, CodeRecord, CodeText, MemberAccess, Scenario};
use onescan_domain::ids::{AccountId, ScenarioId};
use onescan_domain::institutions::{Institution, Member, MemberRole};
use onescan_domain::merchants::{Merchant, Store, Terminal, TerminalRole, TerminalTrust};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::batch::PayOutcome;
use onescan_domain::payments::ledger::{Account, Transfer, TransferKind};
use onescan_domain::policy::Policy;
use onescan_domain::profiles::{InvoiceProfile, ProfileFields, TitleKind};
use onescan_platforms::access::{Actor, Freshness, KeyHolder};
use onescan_platforms::institutions::{NewInstitution, NewMember};
use onescan_platforms::merchants::{NewMerchant, NewStore, NewTerminal};
use onescan_platforms::payments::{CaptureMode, Idempotency, MoveRequest, PayRequest, TerminalFacts};
use onescan_platforms::people::{NewPerson, Person};
use onescan_platforms::processing::payment::ProfileDelivery;
use onescan_platforms::processing::request::{AccessInfo, WantedCode};
use onescan_platforms::profiles::NewProfile;

use super::TestApp;

/// What everybody signs in with.
pub const PASSWORD: &str = "correct horse battery";

/// A person with a code record of their own, and a session.
#[derive(Debug, Clone)]
pub struct PersonCast {
    pub person: Person,
    pub record: CodeRecord,
    /// A session's token, for `Call::bearer`.
    pub token: String,
}

/// An institution with a code record that all its members may use.
#[derive(Debug, Clone)]
pub struct InstitutionCast {
    pub institution: Institution,
    pub record: CodeRecord,
    /// Key of the institution's own program.
    pub key: String,
}

/// A person as a member, with a session.
#[derive(Debug, Clone)]
pub struct MemberCast {
    pub person: Person,
    pub member: Member,
    pub token: String,
}

/// A merchant with one store and both terminals.
#[derive(Debug, Clone)]
pub struct MerchantCast {
    pub merchant: Merchant,
    pub store: Store,
    pub cashier: Terminal,
    pub cashier_key: String,
    pub invoice: Terminal,
    /// Key of the invoice terminal; it may say that something was paid elsewhere.
    pub invoice_key: String,
    /// Key of the back office.
    pub key: String,
}

/// The usual company. Everything is in CNY and in Asia/Shanghai.
#[derive(Debug, Clone)]
pub struct Cast {
    /// 1,000.00 on their own account.
    pub person: PersonCast,
    /// 10,000.00; scenario "Meals", 5811-5814, at most 50.00 a payment and 120.00 a day.
    pub institution: InstitutionCast,
    pub meals: Scenario,
    pub administrator: MemberCast,
    pub member: MemberCast,
    /// A restaurant, 5812, in 杭州.
    pub merchant: MerchantCast,
}

const MEALS: &str = "amount <= 5000\namount_day <= 12000\n";

impl TestApp {
    pub async fn cast(&self) -> Cast {
        let person = self.person("li.lei").await;
        self.top_up(person.person.account, 100_000).await;
        let institution = self.institution("Example Technology").await;
        self.top_up(institution.institution.account, 1_000_000).await;
        let meals = self.scenario(&institution.record, "Meals", "5811-5814", MEALS).await;
        let administrator = self.member(&institution, "han.meimei", MemberRole::Administrator).await;
        let member = self.member(&institution, "wang.fang", MemberRole::Employee).await;
        let merchant = self.merchant("Corner Canteen", "5812").await;
        Cast {
            person,
            institution,
            meals,
            administrator,
            member,
            merchant,
        }
    }

    /// Registers a person in CNY without a code record. Password: [`PASSWORD`].
    pub async fn register(&self, login: &str) -> Person {
        self.register_in(login, Currency::CNY).await
    }

    async fn register_in(&self, login: &str, currency: Currency) -> Person {
        let new = NewPerson {
            login: login.to_owned(),
            name: login.to_owned(),
            password: PASSWORD.to_owned(),
            identity: None,
            email: Some(format!("{login}@example.org")),
            language: "en".to_owned(),
            currency,
            time_zone: "Asia/Shanghai".to_owned(),
        };
        self.services.people.register(new).await.unwrap().unwrap()
    }

    /// A registered person with a code record and an empty account.
    pub async fn person(&self, login: &str) -> PersonCast {
        self.person_in(login, Currency::CNY).await
    }

    pub async fn person_in(&self, login: &str, currency: Currency) -> PersonCast {
        let person = self.register_in(login, currency).await;
        let enabled = self.services.processing.enable(&person, None, None).await.unwrap();
        let token = self.sign_in(login).await;
        PersonCast {
            person,
            record: enabled.record,
            token,
        }
    }

    /// A fresh session's token.
    pub async fn sign_in(&self, login: &str) -> String {
        let signed_in = self.services.access.sign_in(login, PASSWORD, "test").await;
        signed_in.unwrap().unwrap().text
    }

    pub async fn institution(&self, name: &str) -> InstitutionCast {
        let new = NewInstitution {
            parent: None,
            name: name.to_owned(),
            currency: Currency::CNY,
            time_zone: "Asia/Shanghai".to_owned(),
            bucket: None,
        };
        let institution = self.services.institutions.create(new).await.unwrap().unwrap();
        let members = MemberAccess::ThroughInstitution;
        let record = self
            .services
            .processing
            .enable_institution(&institution, members)
            .await
            .unwrap();
        let holder = KeyHolder::Institution(institution.id);
        let key = self.services.access.issue_key(holder, "program").await.unwrap().text;
        InstitutionCast {
            institution,
            record,
            key,
        }
    }

    /// `categories` as in `5811-5814, 5411`, empty for all; `policy` one condition a line, amounts in minor units.
    pub async fn scenario(&self, record: &CodeRecord, name: &str, categories: &str, policy: &str) -> Scenario {
        let scenario = Scenario {
            id: ScenarioId::new(self.services.env.id(record.bucket)),
            record: record.id.clone(),
            name: name.to_owned(),
            categories: Categories::parse(categories).unwrap(),
            policy: Policy::parse(policy).unwrap(),
            created_at: self.now_ms(),
        };
        self.services
            .codes
            .put_scenario(record.bucket, scenario.clone())
            .await
            .unwrap();
        scenario
    }

    /// A person, registered now, as a member.
    pub async fn member(&self, institution: &InstitutionCast, login: &str, role: MemberRole) -> MemberCast {
        let person = self.register(login).await;
        let new = NewMember {
            person: person.id,
            name: person.name.clone(),
            employee_number: None,
            department: None,
            role,
        };
        let id = institution.institution.id;
        let member = self.services.institutions.add_member(id, new).await.unwrap().unwrap();
        let token = self.sign_in(login).await;
        MemberCast { person, member, token }
    }

    /// A merchant in CNY. `category`: four digits.
    pub async fn merchant(&self, name: &str, category: &str) -> MerchantCast {
        self.merchant_in(name, category, Currency::CNY).await
    }

    pub async fn merchant_in(&self, name: &str, category: &str, currency: Currency) -> MerchantCast {
        let merchants = &self.services.merchants;
        let new = NewMerchant {
            name: name.to_owned(),
            category: category.to_owned(),
            currency,
        };
        let merchant = merchants.create(new).await.unwrap().unwrap();
        let new = NewStore {
            name: "Main street".to_owned(),
            category: None,
            city: "杭州".to_owned(),
        };
        let store = merchants.add_store(merchant.id, new).await.unwrap().unwrap();
        let (cashier, cashier_key) = self.terminal(&store, "Till 1", TerminalRole::Cashier).await;
        let (invoice, invoice_key) = self.terminal(&store, "Invoices", TerminalRole::Invoice).await;
        let holder = KeyHolder::Merchant(merchant.id);
        let key = self
            .services
            .access
            .issue_key(holder, "back office")
            .await
            .unwrap()
            .text;
        MerchantCast {
            merchant,
            store,
            cashier,
            cashier_key,
            invoice,
            invoice_key,
            key,
        }
    }

    /// Another terminal of full trust; an invoice terminal may say that something was paid elsewhere.
    pub async fn terminal(&self, store: &Store, name: &str, role: TerminalRole) -> (Terminal, String) {
        let new = NewTerminal {
            store: store.id,
            name: name.to_owned(),
            role,
            trust: TerminalTrust::Full,
            may_assert_paid: role == TerminalRole::Invoice,
        };
        let (terminal, key) = self
            .services
            .merchants
            .add_terminal(store.merchant, new)
            .await
            .unwrap()
            .unwrap();
        (terminal, key.text)
    }

    /// An operator's key.
    pub async fn operator_key(&self) -> String {
        self.services
            .access
            .issue_key(KeyHolder::Operator, "test")
            .await
            .unwrap()
            .text
    }

    pub async fn top_up(&self, account: AccountId, minor: i64) -> Transfer {
        let currency = self.account(account).await.currency;
        let request = MoveRequest {
            kind: TransferKind::TopUp,
            debit: None,
            credit: account,
            amount: Money::new(minor, currency),
            idempotency: Idempotency {
                caller: "test".to_owned(),
                key: format!("{:032x}", u128::from_be_bytes(self.services.env.bytes())),
                fingerprint: String::new(),
            },
        };
        self.services.payments.move_money(request).await.unwrap().unwrap()
    }

    pub async fn account(&self, id: AccountId) -> Account {
        self.services.payments.account(id).await.unwrap().unwrap()
    }

    /// A company's invoice profile on a record. `scenarios`: empty for all.
    pub async fn profile(&self, record: &CodeRecord, title: &str, scenarios: &[ScenarioId]) -> InvoiceProfile {
        let new = NewProfile {
            fields: ProfileFields {
                tax_number: Some("91330106MA2CFLDG4R".to_owned()),
                ..ProfileFields::new(TitleKind::Company, title)
            },
            scenarios: scenarios.to_vec(),
            preferred: false,
        };
        self.services
            .profiles
            .create(record.bucket, &record.id, new)
            .await
            .unwrap()
    }

    /// A code of the person's own record, as from their phone.
    pub async fn user_code(&self, person: &PersonCast) -> CodeText {
        self.show_code(person.person.id, WantedCode::User).await
    }

    /// A code of the institution, as from the member's phone.
    pub async fn institution_code(&self, member: &MemberCast) -> CodeText {
        let wanted = WantedCode::Institution(member.member.institution);
        self.show_code(member.person.id, wanted).await
    }

    async fn show_code(&self, person: onescan_domain::ids::PersonId, wanted: WantedCode) -> CodeText {
        let info = AccessInfo {
            device: "phone".to_owned(),
            address: "192.0.2.7".to_owned(),
            location: None,
        };
        let shown = self.services.processing.show_code(person, wanted, info).await;
        shown.unwrap().unwrap().text
    }

    /// Pays with a code without HTTP. `order_number` is also the idempotency key.
    pub async fn pay(&self, key: &str, code: &CodeText, minor: i64, order_number: &str) -> PayOutcome {
        let terminal = self.terminal_facts(key).await;
        let request = PayRequest {
            text: code.clone(),
            terminal,
            order_number: order_number.to_owned(),
            amount: Money::new(minor, Currency::CNY),
            subject: None,
            capture: CaptureMode::Now,
            idempotency_key: order_number.to_owned(),
        };
        let paid = self.services.processing.pay(request, ProfileDelivery::Later).await;
        paid.unwrap().unwrap().outcome
    }

    /// Whom a terminal's key stands for.
    pub async fn terminal_facts(&self, key: &str) -> TerminalFacts {
        match self
            .services
            .access
            .authenticate(key, Freshness::Checked)
            .await
            .unwrap()
            .unwrap()
        {
            Actor::Terminal(actor) => actor.facts,
            other => panic!("not a terminal's key: {other:?}"),
        }
    }
}
