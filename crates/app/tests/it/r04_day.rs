//! Row R04, whole: a day of riders, gates of which half are offline, wrong clocks, repeats and reordering, from a printed seed.
//! A plan knows what each person rode; afterwards every tap is in one ride, every ride has one order at its fare, every order
//! is paid once or owed, and the ledger agrees with all of it.
//!
//! `ONESCAN_TEST_RIDERS=10000` rides the full day, `ONESCAN_TEST_SEED` another one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use onescan_domain::calendar::Date;
use onescan_domain::ids::{AccountId, ApplicationId, PersonId, RideOrderId, TapId, TerminalId};
use onescan_domain::institutions::MemberRole;
use onescan_domain::merchants::TerminalRole;
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::application::{Approval, FormAfterRefund, InstitutionPayment, RideAllowance};
use onescan_domain::rides::bill::{BillPeriod, IssueWhen};
use onescan_domain::rides::order::{Consulted, RideOrder, RideState};
use onescan_domain::rides::tap::TapKind;
use onescan_gate::code;
use onescan_gate::journal::{ACCEPTED, Head, Record};
use onescan_gate::keys::{Algorithm, Fingerprint, SigningKey};
use onescan_platforms::env::Entropy;
use onescan_platforms::journeys::{TapRide, TapRideState};
use onescan_platforms::payments::Page;
use onescan_platforms::ride_codes::NewRideDevice;
use onescan_platforms::rides::bills::{CloseBill, CloseRefusal, Side};
use onescan_platforms::rides::{NewApplication, NewTravelType};

use crate::gates::archive;
use crate::rides::{HOUR_MS, MINUTE_MS};
use crate::support::app::Engine;
use crate::support::builders::{InstitutionCast, MerchantCast};
use crate::support::machine::{START_MS, SeededEntropy};
use crate::support::{TestApp, on_both};

const STATIONS: [&str; 3] = ["lake", "tower", "fair"];
const GATES: usize = 200;
const RIDERS: usize = 250;
const RIDERS_POSTGRES: usize = 60;
const RECORDS_AT_ONCE: usize = 64;

struct Dice(SeededEntropy);

impl Dice {
    /// Below `sides`.
    fn roll(&self, sides: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % sides as u64) as usize
    }

    fn percent(&self, chance: usize) -> bool {
        self.roll(100) < chance
    }

    fn shuffle<T>(&self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            list.swap(place, self.roll(place + 1));
        }
    }
}

struct Gate {
    terminal: TerminalId,
    signing: SigningKey,
    journal: Fingerprint,
    head: Head,
    station: &'static str,
    kind: TapKind,
    offline: bool,
    /// How far its clock is ahead of the true time, negative: behind.
    skew_ms: i64,
    /// Records that were not handed over yet.
    kept: Vec<Vec<u8>>,
}

struct Rider {
    person: PersonId,
    account: AccountId,
    key: SigningKey,
    entitlement: Vec<u8>,
    counter: u32,
    form: Option<ApplicationId>,
    one_ride: bool,
    /// Fares of what they rode, in the plan.
    fares: Vec<i64>,
}

/// One passage that is going to happen.
struct Passage {
    at: i64,
    rider: usize,
    gate: usize,
}

struct Day {
    app: TestApp,
    dice: Dice,
    provider: MerchantCast,
    companies: Vec<InstitutionCast>,
    gates: Vec<Gate>,
    riders: Vec<Rider>,
    taps: usize,
}

/// What the feed says, by hand: the bus is the cheapest between lake and tower.
fn fare(from: &str, to: &str) -> i64 {
    match (from == "fair", to == "fair") {
        (false, false) => 100,
        (true, true) => 200,
        (true, false) | (false, true) => 450,
    }
}

const FARE_MAX: i64 = 450;
const FARE_BUS: i64 = 100;

impl Day {
    async fn begin(app: TestApp, riders: usize, seed: u64) -> Self {
        let provider = app.merchant("Metro", "4111").await;
        let feeds = &app.services.journeys.feeds;
        feeds
            .import(provider.merchant.id, "autumn", archive())
            .await
            .unwrap()
            .unwrap();
        let mut companies = Vec::new();
        for name in ["Company 0", "Company 1", "Company 2"] {
            let company = app.institution(name).await;
            app.top_up(company.institution.account, 100_000_000).await;
            companies.push(company);
        }
        let mut day = Self {
            app,
            dice: Dice(SeededEntropy::new(seed)),
            provider,
            companies,
            gates: Vec::new(),
            riders: Vec::new(),
            taps: 0,
        };
        day.open_gates().await;
        let mut kinds = Vec::new();
        for company in &day.companies {
            let new = NewTravelType {
                code: "metro".to_owned(),
                name: "Metro".to_owned(),
                form: Vec::new(),
                approval: Approval::NotNeeded,
                refund: FormAfterRefund::StaysUsed,
            };
            let kind = day.app.services.rides.add_type(company.institution.id, new).await;
            kinds.push(kind.unwrap().unwrap().id);
        }
        for number in 0..riders {
            let rider = day.enrol(number, &kinds).await;
            day.riders.push(rider);
        }
        day
    }

    async fn open_gates(&mut self) {
        for number in 0..GATES {
            let name = format!("Gate {number}");
            let (terminal, _) = self.app.terminal(&self.provider.store, &name, TerminalRole::Gate).await;
            let signing = SigningKey::ed25519(&seed_of(1, number));
            let journal = self
                .app
                .services
                .ride_codes
                .open_journal(terminal.id, signing.public())
                .await;
            let (station, kind) = match number {
                190.. => ("B7", TapKind::Single),
                _ if number % 6 < 3 => (STATIONS[number % 3], TapKind::Entry),
                _ => (STATIONS[number % 3], TapKind::Exit),
            };
            self.gates.push(Gate {
                terminal: terminal.id,
                signing,
                journal: journal.unwrap().id,
                head: Head::START,
                station,
                kind,
                offline: self.dice.percent(50),
                skew_ms: if self.dice.percent(20) {
                    self.dice.roll(80_000) as i64 - 40_000
                } else {
                    0
                },
                kept: Vec::new(),
            });
        }
    }

    /// Half are members with a form, some for one ride; some have no money, and not everybody agreed to pay the rest.
    async fn enrol(&self, number: usize, kinds: &[onescan_domain::ids::TravelTypeId]) -> Rider {
        let (app, dice) = (&self.app, &self.dice);
        let login = format!("rider.{number}");
        let one_ride = dice.percent(20);
        let mut form = None;
        let person = if dice.percent(50) {
            let company = dice.roll(self.companies.len());
            let member = app.member(&self.companies[company], &login, MemberRole::Employee).await;
            let new = NewApplication {
                travel_type: kinds[company],
                purpose: "Work".to_owned(),
                cost_centre: None,
                cities: Vec::new(),
                fields: Vec::new(),
                allowance: if one_ride {
                    RideAllowance::Rides(1)
                } else {
                    RideAllowance::Standing
                },
                valid_from: START_MS,
                valid_until: START_MS + 24 * HOUR_MS,
                switch: InstitutionPayment::On,
            };
            form = Some(
                app.services
                    .rides
                    .apply(member.person.id, new)
                    .await
                    .unwrap()
                    .unwrap()
                    .id,
            );
            member.person
        } else {
            app.register(&login).await
        };
        if dice.percent(80) {
            app.top_up(person.account, 100_000).await;
        }
        if dice.percent(70) {
            let cap = Money::new(10_000, Currency::CNY);
            app.services.rides.give_consent(person.id, cap).await.unwrap();
        }
        let key = SigningKey::ed25519(&seed_of(2, number));
        let new = NewRideDevice {
            name: "Phone".to_owned(),
            algorithm: Algorithm::Ed25519,
            public_key: key.public().bytes(),
        };
        let codes = &app.services.ride_codes;
        let device = codes.enrol(person.id, new).await.unwrap().unwrap();
        let issued = codes.issue(person.id, device.id).await.unwrap().unwrap();
        Rider {
            person: person.id,
            account: person.account,
            key,
            entitlement: issued.entitlement,
            counter: 0,
            form,
            one_ride,
            fares: Vec::new(),
        }
    }

    fn gate_at(&self, station: &str, kind: TapKind) -> usize {
        let fits = |gate: &&usize| self.gates[**gate].station == station && self.gates[**gate].kind == kind;
        let places: Vec<usize> = (0..GATES).collect();
        let places: Vec<usize> = places.iter().filter(fits).copied().collect();
        places[self.dice.roll(places.len())]
    }

    /// Who passes which gate when, with what goes wrong, and what each ride costs.
    fn plan(&mut self) -> Vec<Passage> {
        let mut passages = Vec::new();
        for rider in 0..self.riders.len() {
            let mut at = START_MS + (5 + self.dice.roll(120) as i64) * MINUTE_MS;
            let mut lost_exit = false;
            for _ in 0..1 + self.dice.roll(4) {
                let from = STATIONS[self.dice.roll(3)];
                let to = STATIONS[self.dice.roll(3)];
                let gate_in = self.gate_at(from, TapKind::Entry);
                let gate_out = self.gate_at(to, TapKind::Exit);
                let takes = (4 + self.dice.roll(40) as i64) * MINUTE_MS;
                let (cost, mut ride) = match self.dice.roll(100) {
                    0..10 => (FARE_BUS, vec![(at, self.gate_at("B7", TapKind::Single))]),
                    10..14 => {
                        lost_exit = true;
                        (FARE_MAX, vec![(at, gate_in)])
                    }
                    // An exit alone after an entry alone would be one ride.
                    14..18 if !lost_exit => (FARE_MAX, vec![(at + takes, gate_out)]),
                    _ => {
                        lost_exit = false;
                        (fare(from, to), vec![(at, gate_in), (at + takes, gate_out)])
                    }
                };
                // The gate did not open at once, and the next code was shown.
                if self.dice.percent(6) {
                    ride.insert(1, (ride[0].0 + 12_000, ride[0].1));
                }
                passages.extend(ride.into_iter().map(|(at, gate)| Passage { at, rider, gate }));
                self.riders[rider].fares.push(cost);
                at += takes + (10 + self.dice.roll(90) as i64) * MINUTE_MS;
            }
        }
        passages.sort_by_key(|passage| passage.at);
        passages
    }

    async fn ride(&mut self) {
        let passages = self.plan();
        let mut handed_over = START_MS;
        for passage in passages {
            if passage.at - handed_over > 20 * MINUTE_MS {
                handed_over = passage.at;
                self.hand_over(Gate::is_online).await;
                self.app.work_on_taps().await;
            }
            self.app.clock.set_ms(passage.at);
            self.pass(passage.rider, passage.gate);
            // Somebody sets a clock back.
            if self.dice.roll(500) == 0 {
                self.gates[passage.gate].skew_ms = -30_000;
            }
        }
        self.hand_over(Gate::is_online).await;
        self.app.work_on_taps().await;
        self.app = self.app.restarted(|_| {}).await;
        // In the evening the others are connected, one after the other.
        for _ in 0..4 {
            self.app.clock.advance_ms(HOUR_MS);
            self.hand_over(|_| true).await;
            self.app.work_on_taps().await;
        }
        for gate in &self.gates {
            assert!(gate.kept.len() < RECORDS_AT_ONCE);
        }
        while self.gates.iter().any(|gate| !gate.kept.is_empty()) {
            self.hand_over(|_| true).await;
        }
        // What is incomplete waits for half a day.
        for _ in 0..4 {
            self.app.clock.advance_ms(6 * HOUR_MS);
            self.app.work_on_taps().await;
        }
    }

    /// Each company is billed for the day of the rides, and for the days after it; what the bills charge per order.
    async fn bill(&self) -> HashMap<RideOrderId, Vec<i64>> {
        let bills = &self.app.services.bills;
        let date = |days: i64| {
            let instant = jiff::Timestamp::from_millisecond(START_MS).unwrap();
            let zone = jiff::tz::TimeZone::get(&self.companies[0].institution.time_zone).unwrap();
            let day = instant.to_zoned(zone).date() + jiff::Span::new().days(days);
            Date::parse(&day.to_string()).unwrap()
        };
        let mut made = Vec::new();
        for company in &self.companies {
            for (first_on, until_on) in [(date(0), date(1)), (date(1), date(2))] {
                let close = CloseBill {
                    provider: self.provider.merchant.id,
                    period: BillPeriod::own(first_on, until_on).unwrap(),
                    currency: Currency::CNY,
                    issue: IssueWhen::ByHand,
                };
                match bills.close(&company.institution, &close).await.unwrap() {
                    Ok(bill) => made.push(bill.id),
                    Err(CloseRefusal::Empty) => {}
                    Err(refusal) => panic!("{refusal}"),
                }
            }
        }
        while bills.work().await.unwrap() > 0 {}
        let mut charged: HashMap<RideOrderId, Vec<i64>> = HashMap::new();
        for bill in made {
            let mut page = Page {
                after: None,
                limit: 500,
            };
            loop {
                let rides = bills.billed(bill, Side::Charge, &page).await.unwrap();
                let Some(last) = rides.last() else { break };
                page.after = Some(last.order.id.stored());
                for ride in rides {
                    charged.entry(ride.order.id).or_default().push(ride.amount_minor);
                }
            }
        }
        charged
    }

    fn pass(&mut self, rider: usize, gate: usize) {
        let (rider, gate) = (&mut self.riders[rider], &mut self.gates[gate]);
        let now = self.app.now_ms();
        rider.counter += 1;
        let record = Record {
            sequence: gate.head.sequence + 1,
            previous: gate.head.hash,
            gate: gate.terminal.to_string(),
            kind: gate.kind,
            station: gate.station.to_owned(),
            at: now + gate.skew_ms,
            verdict: ACCEPTED.to_owned(),
            incomplete: false,
            code: code::show(&rider.entitlement, (now / 1_000) as u32, rider.counter, &rider.key),
        };
        let record = record.sign(&gate.signing);
        gate.head = gate.head.after(&record);
        gate.kept.push(record);
        self.taps += 1;
    }

    /// A part of what gates kept, in any order, some of it twice; what was not handed over comes later.
    async fn hand_over(&mut self, which: fn(&Gate) -> bool) {
        for gate in self
            .gates
            .iter_mut()
            .filter(|gate| which(gate) && !gate.kept.is_empty())
        {
            self.dice.shuffle(&mut gate.kept);
            let later = if gate.offline { gate.kept.len() / 3 } else { 0 };
            let mut sent = gate.kept.split_off(later);
            if self.dice.percent(20) {
                sent.extend(sent.clone());
            }
            for records in sent.chunks(RECORDS_AT_ONCE) {
                let codes = &self.app.services.ride_codes;
                let provider = self.provider.merchant.id;
                let uploading = codes.upload(provider, gate.terminal, gate.journal, records.to_vec());
                assert_eq!(uploading.await.unwrap().unwrap().wrong, []);
            }
        }
    }

    async fn rides(&self) -> Vec<TapRide> {
        let mut all: Vec<TapRide> = Vec::new();
        loop {
            let page = Page {
                after: all.last().map(|ride| ride.ride.key.stored()),
                limit: 500,
            };
            let provider = self.provider.merchant.id;
            let more = self
                .app
                .services
                .journeys
                .rides_of_provider(provider, None, &page)
                .await
                .unwrap();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    async fn orders(&self, person: PersonId) -> Vec<RideOrder> {
        let page = Page {
            after: None,
            limit: 200,
        };
        self.app.services.rides.orders_of_person(person, &page).await.unwrap()
    }

    /// Everything that must be so in the end.
    async fn check(&self) {
        let rides = self.rides().await;
        let standing: Vec<&TapRide> = rides.iter().filter(|ride| ride.state.stands()).collect();
        let unfinished = standing.iter().filter(|ride| ride.state != TapRideState::Ordered);
        assert_eq!(unfinished.collect::<Vec<_>>(), Vec::<&&TapRide>::new());
        let taps: Vec<TapId> = standing.iter().flat_map(|ride| ride.ride.taps()).collect();
        assert_eq!(taps.len(), self.taps, "every tap is in a ride");
        assert_eq!(taps.iter().collect::<BTreeSet<_>>().len(), self.taps, "and in no other");
        let orders: BTreeSet<_> = standing.iter().map(|ride| ride.order.unwrap()).collect();
        assert_eq!(orders.len(), standing.len(), "an order of its own");
        let planned: usize = self.riders.iter().map(|rider| rider.fares.len()).sum();
        assert_eq!(standing.len(), planned);

        let mut of_person: HashMap<PersonId, Vec<&TapRide>> = HashMap::new();
        for ride in &rides {
            of_person.entry(ride.person).or_default().push(ride);
        }
        let mut charged = self.bill().await;
        let mut paid_by = BTreeMap::new();
        let (mut companies, mut billed) = (0, 0);
        for rider in &self.riders {
            let mine = of_person.remove(&rider.person).unwrap_or_default();
            companies += self.check_rider(rider, &mine, &mut paid_by).await;
            for order in self.orders(rider.person).await {
                let bills = charged.remove(&order.id).unwrap_or_default();
                let by_company = paid_by_company(&order);
                match by_company {
                    // Given back whole before it was billed: there is nothing to charge.
                    0 => assert!(
                        bills.iter().all(|minor| *minor == 0),
                        "{order:?} is in a bill: {bills:?}"
                    ),
                    _ => assert_eq!(
                        bills,
                        [by_company],
                        "in exactly one bill, at what the company paid: {order:?}"
                    ),
                }
                billed += by_company;
            }
        }
        assert!(charged.is_empty(), "no bill has anything else: {charged:?}");
        assert_eq!(billed, companies);
        let mut left = 0;
        for company in &self.companies {
            left += self.app.account(company.institution.account).await.posted_minor;
        }
        assert_eq!(
            left + companies,
            300_000_000,
            "the companies paid what their orders say"
        );
        println!("{planned} rides, {} taps: {paid_by:?}", self.taps);
        assert!(
            paid_by.len() == 3 || self.riders.len() < 30,
            "institutions, people and debts: {paid_by:?}"
        );
    }

    /// What companies paid for the rider's orders.
    async fn check_rider(&self, rider: &Rider, rides: &[&TapRide], paid_by: &mut BTreeMap<&'static str, usize>) -> i64 {
        let orders = self.orders(rider.person).await;
        let (mut company, mut own, mut owed, mut used) = (0, 0, 0, 0);
        let mut fares = Vec::new();
        for order in &orders {
            let RideState::Settled(result) = &order.state else {
                panic!("{order:?} is neither paid nor owed");
            };
            let kept = order.amount.minor - order.refunded_minor;
            let Some(ride) = rides.iter().find(|ride| ride.order == Some(order.id)) else {
                assert_eq!(kept, 0, "no order but those of rides and those given back: {order:?}");
                continue;
            };
            let paid = |attempt: &Option<onescan_domain::rides::order::Attempt>| {
                attempt.as_ref().map_or(0, |attempt| attempt.paid_minor())
            };
            let (by_company, by_person) = (paid(&result.institution), paid(&result.personal));
            assert_eq!(
                by_company + by_person + result.arrears_minor + result.waived_minor(order.amount.minor),
                order.amount.minor,
                "paid once: {order:?}"
            );
            assert!(
                result.waived_minor(order.amount.minor) <= order.refunded_minor,
                "{order:?}"
            );
            assert!(by_company == 0 || by_person == 0);
            if by_company > 0 {
                company += kept;
                used += i64::from(kept > 0);
            } else if by_person > 0 {
                own += kept;
            }
            owed += result.arrears_minor;
            match ride.problem {
                None => assert_eq!(
                    kept,
                    if ride.state.stands() {
                        ride.fare.unwrap().minor
                    } else {
                        0
                    },
                    "{ride:?}"
                ),
                // Debts are corrected as payments are.
                Some(_) => panic!("{ride:?}"),
            }
            if ride.state.stands() {
                fares.push(ride.fare.unwrap().minor);
                *paid_by.entry(result.paid_by().name()).or_default() += 1;
            }
            let by_form = matches!(order.consulted, Consulted::Institution { .. });
            assert!(!by_form || rider.form.is_some());
        }
        assert!(used <= 1 || !rider.one_ride, "a form for one ride pays one");
        let mut planned = rider.fares.clone();
        planned.sort_unstable();
        fares.sort_unstable();
        assert_eq!(fares, planned, "what was ridden, at the feed's fares");
        let arrears = self.app.services.rides.arrears(rider.person).await.unwrap();
        assert_eq!(arrears.iter().map(|debt| debt.amount.minor).sum::<i64>(), owed);
        let account = self.app.account(rider.account).await.posted_minor;
        assert!(
            account + own == 100_000 || account + own == 0,
            "the rider paid what the orders say"
        );
        company
    }
}

/// What the company paid for the order and did not get back.
fn paid_by_company(order: &RideOrder) -> i64 {
    let RideState::Settled(result) = &order.state else {
        return 0;
    };
    let paid = result.institution.as_ref().map_or(0, |attempt| attempt.paid_minor());
    paid - order.institution_refunded_minor
}

impl Gate {
    fn is_online(&self) -> bool {
        !self.offline
    }
}

fn seed_of(kind: u8, number: usize) -> [u8; 32] {
    let mut seed = [kind; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    seed
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

on_both! {
    async fn r04_a_day_of_riders_and_gates_ends_in_one_order_a_ride(app: TestApp) {
        let seed = number_of("ONESCAN_TEST_SEED").unwrap_or(20_261_125);
        let usual = match app.engine {
            Engine::Sqlite => RIDERS,
            Engine::Postgres => RIDERS_POSTGRES,
        };
        let riders = number_of("ONESCAN_TEST_RIDERS").map_or(usual, |riders| riders as usize);
        println!("ONESCAN_TEST_SEED={seed} ONESCAN_TEST_RIDERS={riders}");
        let mut day = Day::begin(app, riders, seed).await;
        day.ride().await;
        day.check().await;
    }
}
