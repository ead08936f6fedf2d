use super::*;
use crate::bucket::Bucket;
use crate::ids::RawId;
use crate::rides::tap::Payer;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
const EPOCH: i64 = 1_790_000_000_000;

fn raw(at: i64, number: u64) -> RawId {
    RawId::from_parts(at, Bucket::new(3).unwrap(), u128::from(number))
}

/// One tap of `device` with its `counter`; `minute` after a fixed instant, uploaded at once.
fn tap(kind: TapKind, device: u64, counter: u64, gate: u64, minute: i64) -> Tap {
    let at = EPOCH + minute * MINUTE;
    Tap {
        id: TapId::new(raw(at, gate << 40 | device << 16 | counter)),
        provider: MerchantId::new(raw(1, 1)),
        gate: TerminalId::new(raw(1, gate)),
        sequence: device << 20 | counter,
        kind,
        station: format!("S{}", gate % 20),
        at,
        received_at: at + 1_000,
        clock_fault: None,
        person: Some(PersonId::new(raw(1, device))),
        device: Some(RideDeviceId::new(raw(1, device))),
        counter,
        payer: Payer::Institution,
        rule_digest: String::new(),
        incomplete: false,
        sound: true,
    }
}

use TapKind::{Entry, Exit, Single};

fn rides(taps: &[Tap], minute: i64) -> Vec<MatchedRide> {
    match_taps(taps, EPOCH + minute * MINUTE, MatchLimits::default())
}

/// `Complete S1-S2`, one a ride.
fn check(taps: &[Tap], minute: i64, expected: &[&str]) {
    let station = |end: &Option<RideEnd>| end.as_ref().map_or("?", |end| &end.station).to_owned();
    let lines = rides(taps, minute)
        .iter()
        .map(|ride| {
            let repeats = if ride.repeats.is_empty() { "" } else { " repeated" };
            let twice = if ride.code_seen_twice { " code twice" } else { "" };
            let ends = format!("{}-{}", station(&ride.start), station(&ride.end));
            format!("{:?} {ends}{repeats}{twice}", ride.journey)
        })
        .collect::<Vec<_>>();
    assert_eq!(lines, expected);
    let mut backwards = taps.to_vec();
    backwards.reverse();
    assert_eq!(rides(&backwards, minute), rides(taps, minute));
}

#[test]
fn entries_and_exits_become_rides() {
    let entry = tap(Entry, 1, 1, 1, 0);
    check(&[entry.clone(), tap(Exit, 1, 2, 2, 20)], 21, &["Complete S1-S2"]);
    check(&[tap(Single, 1, 1, 5, 0)], 1, &["Single S5-?"]);
    check(std::slice::from_ref(&entry), 239, &["Open S1-?"]);
    check(std::slice::from_ref(&entry), 241, &["NoExit S1-?"]);
    check(&[tap(Exit, 1, 1, 2, 0)], 1, &["NoEntry ?-S2"]);
    // Two entries: the first lost its exit. An exit after the limit belongs to no entry.
    check(
        &[entry.clone(), tap(Entry, 1, 2, 3, 30), tap(Exit, 1, 3, 4, 40)],
        41,
        &["NoExit S1-?", "Complete S3-S4"],
    );
    check(
        &[entry.clone(), tap(Exit, 1, 2, 2, 241)],
        242,
        &["NoExit S1-?", "NoEntry ?-S2"],
    );
    // A bus ride in between leaves the open journey alone.
    check(
        &[entry.clone(), tap(Single, 1, 2, 5, 10), tap(Exit, 1, 3, 2, 20)],
        21,
        &["Complete S1-S2", "Single S5-?"],
    );
    // Tried twice at the neighbouring gate of the same station; uploaded twice.
    let mut again = tap(Entry, 1, 2, 21, 0);
    again.at += 5_000;
    check(&[entry.clone(), again, entry], 10, &["Open S1-? repeated"]);
    // A copied code: the same counter somewhere else.
    check(
        &[tap(Entry, 1, 1, 1, 0), tap(Entry, 1, 1, 2, 1)],
        2,
        &["NoExit S1-? code twice", "Open S2-? code twice"],
    );
}

#[test]
fn the_devices_counter_outweighs_a_wrong_clock() {
    let entry = tap(Entry, 1, 1, 1, 0);
    let mut exit = tap(Exit, 1, 2, 2, -600);
    exit.clock_fault = Some(ClockFault::Back);
    check(&[entry.clone(), exit.clone()], 30, &["Complete S1-S2"]);
    assert!(rides(&[entry.clone(), exit], 30)[0].clock_doubtful());
    let mut ahead = tap(Exit, 1, 2, 2, 9_000);
    ahead.clock_fault = Some(ClockFault::Ahead);
    ahead.received_at = EPOCH + 25 * MINUTE;
    let ride = rides(&[entry, ahead], 30).remove(0);
    assert_eq!(ride.end.unwrap().at, EPOCH + 25 * MINUTE);
}

#[test]
fn a_late_exit_corrects_a_forced_close_and_a_late_entry_joins_what_was_told_apart() {
    let (entry, exit) = (tap(Entry, 1, 1, 1, 0), tap(Exit, 1, 2, 2, 20));
    let forced = rides(std::slice::from_ref(&entry), 300);
    let both = rides(&[exit.clone(), entry.clone()], 301);
    let (before, after) = one_change(corrections(&forced, &both));
    assert_eq!((before, after.journey), (forced, Journey::Complete));
    let alone = rides(&[exit], 21);
    let (before, after) = one_change(corrections(&alone, &both));
    assert_eq!((before[0].journey, after.key), (Journey::NoEntry, entry.id));
    assert!(corrections(&both, &both).is_empty());
    assert_eq!(corrections(&[], &both), [Correction::New(both[0].clone())]);
}

fn one_change(mut corrections: Vec<Correction>) -> (Vec<MatchedRide>, MatchedRide) {
    match (corrections.pop(), corrections.is_empty()) {
        (Some(Correction::Changed { before, after }), true) => (before, after),
        (last, _) => panic!("not one change: {last:?}"),
    }
}

/// A small generator whose whole state is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            list.swap(place, self.roll(place as u64 + 1) as usize);
        }
    }
}

/// What really happened: entry tap and exit tap, where the rider made one.
struct Truth {
    entry: TapId,
    exit: Option<TapId>,
}

/// A day of `riders` at 200 gates: half of them upload hours later, every twentieth has a wrong clock that the server knows
/// of, every tenth tap comes twice, every fiftieth rider forgets to tap out, and all of it arrives in any order.
fn day(dice: &mut Dice, riders: u64) -> (Vec<Tap>, Vec<Truth>) {
    let (mut taps, mut truth) = (Vec::new(), Vec::new());
    for device in 1..=riders {
        let mut minute = 300 + dice.roll(300) as i64;
        let mut counter = 1 + dice.roll(50);
        for _ in 0..1 + dice.roll(3) {
            let mut pass = |kind, minute, counter, dice: &mut Dice| {
                let gate = 1 + dice.roll(200);
                let mut tap = tap(kind, device, counter, gate, minute);
                if gate.is_multiple_of(2) {
                    tap.received_at += dice.roll(12 * 60) as i64 * MINUTE;
                }
                if gate % 20 == 1 {
                    tap.at += 36_000 * MINUTE;
                    tap.clock_fault = Some(ClockFault::Ahead);
                }
                if dice.roll(10) == 0 {
                    taps.push(tap.clone());
                }
                taps.push(tap.clone());
                tap.id
            };
            let entry = pass(Entry, minute, counter, dice);
            minute += 5 + dice.roll(50) as i64;
            let exit = (dice.roll(50) != 0).then(|| pass(Exit, minute, counter + 1, dice));
            truth.push(Truth { entry, exit });
            minute += 3 + dice.roll(120) as i64;
            counter += 2 + dice.roll(3);
        }
    }
    dice.shuffle(&mut taps);
    (taps, truth)
}

/// Every ride that happened ends in exactly one order, paid in full by exactly one of institution, person and arrears,
/// whatever arrives when. The seed is printed; set `ONESCAN_SEED` to run it again.
#[test]
fn r04_a_day_of_ten_thousand_riders() {
    let seed = std::env::var("ONESCAN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x5eed_2026);
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let (taps, truth) = day(&mut dice, 10_000);
    let evening = EPOCH + DAY;
    // Taps arrive in five uploads; each time all that is known is matched again and only the differences are booked.
    let mut told: Vec<MatchedRide> = Vec::new();
    let mut orders: BTreeMap<TapId, MatchedRide> = BTreeMap::new();
    for upload in 1..=5 {
        let known = &taps[..taps.len() * upload / 5];
        let matched = match_taps(known, evening, MatchLimits::default());
        for correction in corrections(&told, &matched) {
            let (before, after) = match correction {
                Correction::New(after) => (Vec::new(), after),
                Correction::Changed { before, after } => (before, after),
            };
            for gone in before {
                assert!(orders.remove(&gone.key).is_some(), "an order is taken back once");
            }
            assert!(orders.insert(after.key, after).is_none(), "a ride has one order");
        }
        told = matched;
    }
    assert_eq!(orders.len(), truth.len(), "rides and orders");
    for ride in &truth {
        let order = &orders[&ride.entry];
        assert_eq!(order.end.as_ref().map(|end| end.tap), ride.exit);
        let expected = if ride.exit.is_some() {
            Journey::Complete
        } else {
            Journey::NoExit
        };
        assert_eq!(order.journey, expected);
    }
    let mut again = taps.clone();
    dice.shuffle(&mut again);
    assert_eq!(
        match_taps(&again, evening, MatchLimits::default()),
        told,
        "arrival order"
    );
    settle(&mut dice, &orders);
}

/// Pays every order by policy and funding rule from balances that run dry, and audits the sums.
fn settle(dice: &mut Dice, orders: &BTreeMap<TapId, MatchedRide>) {
    use crate::calendar::LocalTime;
    use crate::ids::AccountId;
    use crate::money::{Currency, Money};
    use crate::policy::{Counters, Named, Policy, PolicyInput};
    use crate::rides::funding::{
        Funded, FundingQuestion, FundingRule, FundingSource, PersonalAccount, SourceAccount, StandingConsent, fall_back,
    };
    let policy = Policy::parse("amount_day <= 1000\ncount_day <= 4\nstart_stop not in S7").unwrap();
    let rule = FundingRule::parse("from institution\n  share 75\n  rest person").unwrap();
    let eur = |minor| Money::new(minor, Currency::EUR);
    let local = LocalTime {
        day: 20_717,
        month: 680,
        minute: 480,
    };
    let (mut institution, mut personal) = (3_000_000, BTreeMap::new());
    let mut counters: BTreeMap<RideDeviceId, Counters> = BTreeMap::new();
    let (mut fares, mut paid, mut owed) = (0, [0i64; 2], 0);
    let mut outcomes = [0u32; 3];
    for order in orders.values() {
        let fare = if order.incomplete() {
            900
        } else {
            150 + dice.roll(300) as i64
        };
        fares += fare;
        let device = order.device.unwrap();
        let balance = personal.entry(device).or_insert_with(|| dice.roll(1_500) as i64);
        let counter = counters.entry(device).or_insert(Counters::starting(local));
        let mut input = PolicyInput::new(eur(fare), local);
        input.used = counter.used;
        input.ride.start.stop = Named::word(order.start.as_ref().map_or("", |start| &start.station));
        let person = PersonalAccount {
            account: AccountId::new(device.raw()),
            available: eur(*balance),
            consent: (dice.roll(10) != 0).then_some(StandingConsent { cap_minor: Some(800) }),
        };
        let accounts = [SourceAccount {
            source: FundingSource::Institution,
            account: AccountId::new(raw(1, 1)),
            available: eur(institution),
        }];
        let funded = if policy.allows(&input) {
            let question = FundingQuestion {
                fare: eur(fare),
                input,
                accounts: &accounts,
                personal: Some(person),
            };
            rule.fund(&question).funded
        } else {
            fall_back(eur(fare), Some(&person))
        };
        match funded {
            Funded::Institution {
                institution: part,
                personal: rest,
                ..
            } => {
                counter.add(fare);
                institution -= part.amount_minor;
                paid[0] += part.amount_minor;
                let rest = rest.map_or(0, |rest| rest.amount_minor);
                *balance -= rest;
                paid[1] += rest;
                outcomes[0] += 1;
            }
            Funded::Personal(part) => {
                *balance -= part.amount_minor;
                paid[1] += part.amount_minor;
                outcomes[1] += 1;
            }
            Funded::Arrears { amount_minor, .. } => {
                owed += amount_minor;
                outcomes[2] += 1;
            }
        }
        assert!(institution >= 0 && *balance >= 0, "nobody overspends");
    }
    assert_eq!(paid[0] + paid[1] + owed, fares, "every cent is paid once or owed");
    assert!(
        outcomes.iter().all(|count| *count > 100),
        "each outcome occurs: {outcomes:?}"
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn passage() -> impl Strategy<Value = Tap> {
        let kinds = prop::sample::select(TapKind::ALL.to_vec());
        (kinds, 1..4u64, 1..9u64, 1..7u64, 0..400i64).prop_map(|(kind, device, counter, gate, minute)| {
            let mut tap = tap(kind, device, counter, gate, minute);
            // Every passage of a gate is a line of its own in the gate's journal.
            tap.sequence = device << 40 | counter << 20 | (kind as u64) << 10 | minute as u64;
            tap.id = TapId::new(raw(tap.at, tap.sequence << 4 | gate));
            tap
        })
    }

    proptest! {
        #[test]
        fn every_tap_is_in_exactly_one_ride_whatever_the_order(
            (taps, shuffled) in prop::collection::vec(passage(), 0..24)
                .prop_flat_map(|taps| (Just(taps.clone()), Just(taps).prop_shuffle())),
            doubled in 0..24usize,
            late in 0..24usize,
        ) {
            let mut again = shuffled;
            again.extend(taps.iter().take(doubled).cloned());
            let matched = rides(&taps, 500);
            prop_assert_eq!(&rides(&again, 500), &matched);
            let mut known: Vec<TapId> = taps.iter().map(|tap| tap.id).collect();
            known.sort_unstable();
            known.dedup();
            let mut told: Vec<TapId> = matched.iter().flat_map(MatchedRide::taps).collect();
            told.sort_unstable();
            prop_assert_eq!(told, known);
            // Booked step by step, the corrections lead to the same rides.
            let first = rides(&taps[..late.min(taps.len())], 500);
            let mut orders: BTreeMap<TapId, MatchedRide> = first.iter().map(|ride| (ride.key, ride.clone())).collect();
            for correction in corrections(&first, &matched) {
                if let Correction::Changed { before, .. } = &correction {
                    before.iter().for_each(|ride| drop(orders.remove(&ride.key)));
                }
                let (Correction::New(after) | Correction::Changed { after, .. }) = correction;
                orders.insert(after.key, after);
            }
            let expected: BTreeMap<TapId, MatchedRide> = matched.into_iter().map(|ride| (ride.key, ride)).collect();
            prop_assert_eq!(orders, expected);
        }
    }
}
