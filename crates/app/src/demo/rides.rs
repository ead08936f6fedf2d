//! Ninety days of rides on the demo's own network: codes shown at gates, records handed over in the evening, matched, priced by
//! the feed and paid as the company's rules say. Some are the person's own, some are refused by a rule, some are owed. At
//! each month's end the company's rides become a bill with its invoice.

use anyhow::{Context, Result};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use onescan_domain::ids::{InstitutionId, MerchantId, PersonId, RideDeviceId, TerminalId};
use onescan_domain::merchants::{TerminalRole, TerminalTrust};
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::application::{Approval, FormAfterRefund, InstitutionPayment, RideAllowance};
use onescan_domain::rides::bill::{IssueWhen, PeriodKind};
use onescan_domain::rides::tap::TapKind;
use onescan_gate::code;
use onescan_gate::journal::{ACCEPTED, Head, Record};
use onescan_gate::keys::{Algorithm, Fingerprint, SigningKey};
use onescan_platforms::access::KeyHolder;
use onescan_platforms::merchants::{NewMerchant, NewStore, NewTerminal};
use onescan_platforms::ride_codes::NewRideDevice;
use onescan_platforms::rides::bills::NewSchedule;
use onescan_platforms::rides::{NewApplication, NewTravelType};

use super::invoices;
use super::random::Choices;
use super::seed::Seeding;
use super::sheet::{SheetProgram, SheetRole, SheetTill};
use super::transit;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
const RULES: &str = "amount <= 400\nweekday in mon-fri\nclock in 06:00-21:00\n";

/// How somebody rides: logins of the cast.
const RIDERS: &[Rides] = &[
    rides("ada.berg", "harbour", "university", Form::Standing, Some(1_000), 0),
    // Out to the airport every week, which the company does not pay: from the rider's own account.
    rides("jonas.weber", "market", "airport", Form::Standing, Some(1_000), 0),
    // The same without a consent: owed until it is paid by hand.
    rides("mia.keller", "hospital", "airport", Form::Standing, None, 9_000),
    rides(
        "lukas.brandt",
        "old-town",
        "science-park",
        Form::Rides(60),
        Some(500),
        15_000,
    ),
    rides("sofia.rossi", "lakeside", "market", Form::None, None, 0),
];

struct Rides {
    login: &'static str,
    home: &'static str,
    /// Where they go now and then; on other days to `university`.
    far: &'static str,
    form: Form,
    consent: Option<i64>,
    /// Put on their account for rides.
    money_minor: i64,
}

enum Form {
    None,
    Rides(i64),
    Standing,
}

const fn rides(
    login: &'static str,
    home: &'static str,
    far: &'static str,
    form: Form,
    consent: Option<i64>,
    money_minor: i64,
) -> Rides {
    Rides {
        login,
        home,
        far,
        form,
        consent,
        money_minor,
    }
}

struct Rider {
    person: PersonId,
    device: RideDeviceId,
    key: SigningKey,
    entitlement: Vec<u8>,
    counter: u32,
    rides: &'static Rides,
}

struct Gate {
    terminal: TerminalId,
    signing: SigningKey,
    journal: Fingerprint,
    head: Head,
    station: String,
    kind: TapKind,
    kept: Vec<Vec<u8>>,
}

/// One code at one gate.
struct Passage {
    /// Of the rider.
    place: usize,
    station: &'static str,
    kind: TapKind,
    at: i64,
}

/// The provider with its gates, and who rides.
pub(super) struct Traffic {
    provider: MerchantId,
    gates: Vec<Gate>,
    riders: Vec<Rider>,
    choices: Choices,
    zone: TimeZone,
}

impl Traffic {
    /// Sets all of it up, as the clock stands. `people`: whoever the cast's logins are.
    pub(super) async fn open(
        seeding: &mut Seeding,
        company: InstitutionId,
        people: &[(String, PersonId)],
        days: i64,
    ) -> Result<Self> {
        let new = NewMerchant {
            name: "Harbour Metro".to_owned(),
            category: "4111".to_owned(),
            currency: Currency::EUR,
        };
        let provider = seeding.services().merchants.create(new).await??;
        invoices::set_up(seeding, &provider, "Harbour Town").await?;
        let feeds = &seeding.services().journeys.feeds;
        feeds.import(provider.id, "Harbour town", transit::archive()?).await??;
        let mut traffic = Self {
            provider: provider.id,
            gates: Vec::new(),
            riders: Vec::new(),
            choices: Choices::new(20_261_124),
            zone: TimeZone::get("Europe/Berlin")?,
        };
        traffic.gates(seeding).await?;
        let holder = KeyHolder::Merchant(provider.id);
        let key = seeding.services().access.issue_key(holder, "back office").await?;
        seeding.program(SheetProgram {
            name: provider.name,
            kind: "merchant".to_owned(),
            id: provider.id.to_string(),
            key: key.text,
            prominent: true,
        });
        bill_every_month(seeding, company).await?;
        let kind = travel_types(seeding, company).await?;
        for rides in RIDERS {
            let found = people.iter().find(|(login, _)| login == rides.login);
            let (_, person) = found.with_context(|| format!("{} is in the cast", rides.login))?;
            seeding.pocket_money(*person, rides.money_minor).await?;
            let rider = enrol(seeding, *person, rides, kind, days).await?;
            traffic.riders.push(rider);
        }
        Ok(traffic)
    }

    async fn gates(&mut self, seeding: &mut Seeding) -> Result<()> {
        let new = NewStore {
            name: "Line M1".to_owned(),
            category: None,
            city: "Harbour Town".to_owned(),
        };
        let store = seeding.services().merchants.add_store(self.provider, new).await??;
        let stops = transit::feed()?.stops;
        let ends = stops
            .iter()
            .flat_map(|stop| [(stop.id.as_str(), TapKind::Entry), (stop.id.as_str(), TapKind::Exit)]);
        for (station, kind) in ends.chain([("B7", TapKind::Single)]) {
            let new = NewTerminal {
                store: store.id,
                name: format!("{station} {}", kind.name()),
                role: TerminalRole::Gate,
                trust: TerminalTrust::Full,
                may_assert_paid: false,
            };
            let (terminal, key) = seeding.services().merchants.add_terminal(self.provider, new).await??;
            let signing = SigningKey::ed25519(&seeding.services().env.bytes());
            let codes = &seeding.services().ride_codes;
            let journal = codes.open_journal(terminal.id, signing.public()).await?;
            if self.gates.is_empty() {
                seeding.till(SheetTill {
                    name: terminal.name,
                    merchant: "Harbour Metro".to_owned(),
                    key: key.text,
                    role: SheetRole::Gate,
                    what: "metro and bus: gates, rides, orders".to_owned(),
                    prominent: true,
                });
            }
            self.gates.push(Gate {
                terminal: terminal.id,
                signing,
                journal: journal.id,
                head: Head::START,
                station: station.to_owned(),
                kind,
                kept: Vec::new(),
            });
        }
        Ok(())
    }

    /// The rides of the day that is so many days before `now`.
    pub(super) async fn play(&mut self, seeding: &Seeding, now: i64, day: i64) -> Result<()> {
        let date = jiff::Timestamp::from_millisecond(now)?
            .to_zoned(self.zone.clone())
            .date();
        let date = date.checked_sub(day.days())?;
        let morning = date
            .at(7, 0, 0, 0)
            .to_zoned(self.zone.clone())?
            .timestamp()
            .as_millisecond();
        let workday = date.weekday().to_monday_one_offset() <= 5;
        seeding.clock.set(morning);
        let mut passages = Vec::new();
        for place in 0..self.riders.len() {
            let works = workday && !self.choices.one_in(6);
            let strolls = !workday && self.choices.one_in(4);
            // Whoever owes gets no code, and does not ride.
            if (works || strolls) && self.renew(seeding, place).await? {
                self.plan(place, morning, works, &mut passages);
            }
        }
        passages.sort_by_key(|passage| passage.at);
        for passage in passages {
            self.pass(seeding, &passage)?;
        }
        seeding.clock.set(morning + 14 * 60 * MINUTE_MS);
        self.hand_over(seeding).await?;
        seeding.services().journeys.work(1_000).await?;
        // Incomplete ones after their half day.
        seeding.clock.set(morning + 23 * 60 * MINUTE_MS);
        seeding.services().journeys.work(1_000).await?;
        // On the first of a month that is early the next morning, when the last ride is in.
        seeding.services().bills.close_due().await?;
        while seeding.services().bills.work().await? > 0 {}
        // Whoever owes pays after a while; what the last days left is still owed.
        if day % 9 == 5 {
            self.settle(seeding).await?;
        }
        Ok(())
    }

    async fn renew(&mut self, seeding: &Seeding, place: usize) -> Result<bool> {
        let rider = &mut self.riders[place];
        let issued = seeding.services().ride_codes.issue(rider.person, rider.device).await?;
        Ok(match issued {
            Ok(issued) => {
                rider.entitlement = issued.entitlement;
                true
            }
            Err(_) => false,
        })
    }

    fn plan(&mut self, place: usize, morning: i64, works: bool, passages: &mut Vec<Passage>) {
        let rides = self.riders[place].rides;
        let out = morning + self.choices.between(5, 90) * MINUTE_MS;
        let back = morning + self.choices.between(9 * 60, 11 * 60) * MINUTE_MS;
        let takes = self.choices.between(9, 32) * MINUTE_MS;
        let to = if works && !self.choices.one_in(8) {
            "university"
        } else {
            rides.far
        };
        let mut pass = |station, kind, at| {
            passages.push(Passage {
                place,
                station,
                kind,
                at,
            });
        };
        pass(rides.home, TapKind::Entry, out);
        // Now and then somebody slips out behind another.
        if !self.choices.one_in(40) {
            pass(to, TapKind::Exit, out + takes);
        }
        if self.choices.one_in(7) {
            return pass("B7", TapKind::Single, back);
        }
        pass(to, TapKind::Entry, back);
        pass(rides.home, TapKind::Exit, back + takes);
    }

    fn pass(&mut self, seeding: &Seeding, passage: &Passage) -> Result<()> {
        let Passage {
            place,
            station,
            kind,
            at,
        } = *passage;
        seeding.clock.set(at);
        let rider = &mut self.riders[place];
        let gate = self
            .gates
            .iter_mut()
            .find(|gate| gate.station == station && gate.kind == kind);
        let gate = gate.with_context(|| format!("{station} has a gate"))?;
        rider.counter += 1;
        let record = Record {
            sequence: gate.head.sequence + 1,
            previous: gate.head.hash,
            gate: gate.terminal.to_string(),
            kind,
            station: gate.station.clone(),
            at,
            verdict: ACCEPTED.to_owned(),
            incomplete: false,
            code: code::show(&rider.entitlement, (at / 1_000) as u32, rider.counter, &rider.key),
        };
        let record = record.sign(&gate.signing);
        gate.head = gate.head.after(&record);
        gate.kept.push(record);
        Ok(())
    }

    async fn hand_over(&mut self, seeding: &Seeding) -> Result<()> {
        for gate in self.gates.iter_mut().filter(|gate| !gate.kept.is_empty()) {
            let records = std::mem::take(&mut gate.kept);
            let codes = &seeding.services().ride_codes;
            codes
                .upload(self.provider, gate.terminal, gate.journal, records)
                .await??;
        }
        Ok(())
    }

    async fn settle(&self, seeding: &Seeding) -> Result<()> {
        let rides = &seeding.services().rides;
        for rider in &self.riders {
            for debt in rides.arrears(rider.person).await? {
                // Without money it stays owed.
                let _ = rides.settle(rider.person, debt.order).await?;
            }
        }
        Ok(())
    }

    /// Somebody is on the way when the demo opens.
    pub(super) async fn set_off(&mut self, seeding: &Seeding, now: i64) -> Result<()> {
        seeding.clock.set(now - 12 * MINUTE_MS);
        if self.renew(seeding, 0).await? {
            let passage = Passage {
                place: 0,
                station: "harbour",
                kind: TapKind::Entry,
                at: now - 10 * MINUTE_MS,
            };
            self.pass(seeding, &passage)?;
            self.hand_over(seeding).await?;
            seeding.services().journeys.work(1_000).await?;
        }
        Ok(())
    }
}

async fn bill_every_month(seeding: &Seeding, company: InstitutionId) -> Result<()> {
    let found = seeding.services().institutions.find(company).await?;
    let schedule = NewSchedule {
        provider: None,
        period: PeriodKind::Month,
        issue: IssueWhen::AtOnce,
        grace_hours: 2,
    };
    let company = found.context("the company is there")?;
    seeding.services().bills.put_schedule(&company, schedule).await?;
    Ok(())
}

/// Metro and bus with a policy; taxis, which an administrator approves. Returns the first.
async fn travel_types(seeding: &Seeding, company: InstitutionId) -> Result<onescan_domain::ids::TravelTypeId> {
    let rides = &seeding.services().rides;
    let new = |code: &str, name: &str, approval| NewTravelType {
        code: code.to_owned(),
        name: name.to_owned(),
        form: Vec::new(),
        approval,
        refund: FormAfterRefund::GivenBack,
    };
    let metro = rides
        .add_type(company, new("metro", "Metro and bus", Approval::NotNeeded))
        .await??;
    rides.put_policy(company, metro.id, RULES, None).await??;
    let asked = Approval::Administrators { automatic: None };
    rides.add_type(company, new("taxi", "Taxi", asked)).await??;
    Ok(metro.id)
}

async fn enrol(
    seeding: &Seeding,
    person: PersonId,
    rides: &'static Rides,
    kind: onescan_domain::ids::TravelTypeId,
    days: i64,
) -> Result<Rider> {
    let services = seeding.services();
    let allowance = match rides.form {
        Form::None => None,
        Form::Rides(count) => Some(RideAllowance::Rides(count)),
        Form::Standing => Some(RideAllowance::Standing),
    };
    if let Some(allowance) = allowance {
        let now = seeding.services().env.now_ms();
        let new = NewApplication {
            travel_type: kind,
            purpose: "Way to customers".to_owned(),
            cost_centre: Some("KST-7".to_owned()),
            cities: Vec::new(),
            fields: Vec::new(),
            allowance,
            valid_from: now,
            valid_until: now + (days + 60) * DAY_MS,
            switch: InstitutionPayment::On,
        };
        services.rides.apply(person, new).await??;
    }
    if let Some(cap) = rides.consent {
        services
            .rides
            .give_consent(person, Money::new(cap, Currency::EUR))
            .await?;
    }
    let key = SigningKey::ed25519(&services.env.bytes());
    let new = NewRideDevice {
        name: "Phone".to_owned(),
        algorithm: Algorithm::Ed25519,
        public_key: key.public().bytes(),
    };
    let device = services.ride_codes.enrol(person, new).await??;
    Ok(Rider {
        person,
        device: device.id,
        key,
        entitlement: Vec::new(),
        counter: 0,
        rides,
    })
}
