use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use onescan_domain::money::Currency;

use super::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// Every message id of a language, with the places it fills in.
fn keys(language: Language) -> BTreeSet<(String, BTreeSet<String>)> {
    let texts = files(&folder("locales").join(language.name()), "ftl");
    let mut keys: Vec<(String, BTreeSet<String>)> = Vec::new();
    for path in texts {
        for line in fs::read_to_string(path).unwrap().lines() {
            let head = line.split_once(" =").filter(|(key, _)| is_key(key));
            if let Some((key, _)) = head {
                keys.push((key.to_owned(), BTreeSet::new()));
            }
            if let Some((_, places)) = keys.last_mut() {
                places.extend(places_of(line));
            }
        }
    }
    keys.into_iter().collect()
}

fn is_key(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn places_of(line: &str) -> impl Iterator<Item = String> {
    line.split('$').skip(1).map(|rest| {
        rest.chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect()
    })
}

/// The quoted texts that follow `opening` in `source`.
fn quoted_after<'a>(source: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    source
        .split(opening)
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(key, _)| key))
}

#[test]
fn both_languages_have_the_same_texts_with_the_same_places() {
    let (english, chinese) = (keys(Language::English), keys(Language::Chinese));
    let only_one: Vec<_> = english.symmetric_difference(&chinese).collect();
    assert!(english.len() > 100, "{} texts were found", english.len());
    assert_eq!(only_one, Vec::<&(String, BTreeSet<String>)>::new());
}

#[test]
fn no_key_stands_twice() {
    for language in Language::ALL {
        let mut seen = BTreeSet::new();
        for path in files(&folder("locales").join(language.name()), "ftl") {
            for line in fs::read_to_string(path).unwrap().lines() {
                if let Some((key, _)) = line.split_once(" =").filter(|(key, _)| is_key(key)) {
                    assert!(seen.insert(key.to_owned()), "{key} stands twice in {}", language.name());
                }
            }
        }
    }
}

#[test]
fn every_text_that_templates_and_pages_name_is_there() {
    let mut used = BTreeSet::new();
    let sources = files(&folder("templates"), "html")
        .into_iter()
        .chain(files(&folder("src/pages"), "rs"));
    for path in sources {
        let source = fs::read_to_string(path).unwrap();
        for opening in [
            ".t(\"",
            ".with(\"",
            ".text(\"",
            ".text_with(\"",
            ".counted(\"",
            "key: \"",
            "Key(\"",
        ] {
            used.extend(quoted_after(&source, opening).map(str::to_owned));
        }
    }
    let known: BTreeSet<String> = keys(Language::English).into_iter().map(|(key, _)| key).collect();
    let missing: Vec<_> = used.difference(&known).collect();
    assert!(used.len() > 80, "{} uses were found", used.len());
    assert_eq!(missing, Vec::<&String>::new());
}

/// A reminder is a title and an advice under the same name.
#[test]
fn every_reminder_has_its_advice() {
    let known: BTreeSet<String> = keys(Language::English).into_iter().map(|(key, _)| key).collect();
    let mut reminders = BTreeSet::new();
    for path in files(&folder("src/pages"), "rs") {
        let source = fs::read_to_string(path).unwrap();
        for name in ["Reminder::of(page, \"", "Reminder::of(&visit.page, \""] {
            reminders.extend(quoted_after(&source, name).map(str::to_owned));
        }
    }
    assert!(reminders.len() > 10, "{reminders:?}");
    for key in reminders {
        assert!(
            known.contains(&key) && known.contains(&format!("{key}-advice")),
            "{key}"
        );
    }
}

/// Names that are made at run time: fields, identity kinds, what was done.
#[test]
fn every_made_up_key_is_there() {
    let known: BTreeSet<String> = keys(Language::English).into_iter().map(|(key, _)| key).collect();
    let mut made: Vec<String> = Vec::new();
    for path in files(&folder("src/pages"), "rs") {
        let source = fs::read_to_string(path).unwrap();
        let done = source.split("?done=").skip(1).map(|rest| {
            let name: String = rest
                .chars()
                .take_while(|letter| letter.is_ascii_alphabetic() || *letter == '-')
                .collect();
            format!("done-{name}")
        });
        made.extend(done.filter(|key| key != "done-"));
    }
    made.extend(["name", "email", "consent-field-name", "consent-field-email"].map(str::to_owned));
    made.extend(PAGE_KEYS.iter().map(|key| (*key).to_owned()));
    let missing: Vec<_> = made.iter().filter(|key| !known.contains(*key)).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

/// Keys that stand as values in tables of the pages.
const PAGE_KEYS: &[&str] = &[
    "tap-ride-open",
    "tap-ride-waiting",
    "tap-ride-due",
    "tap-ride-ordered",
    "tap-ride-free",
    "tap-ride-unpriced",
    "tap-ride-withdrawn",
    "tap-problem-no-fare",
    "tap-problem-unknown-person",
    "tap-problem-underpaid",
    "tap-problem-owed",
    "journey-open",
    "journey-complete",
    "journey-single",
    "journey-no-exit",
    "journey-no-entry",
    "nav-gates",
    "setup",
    "decider-consultation",
    "decider-payment",
    "decider-test",
    "decider-held-policy",
    "decider-held-refuse",
    "order-paid",
    "order-arrears",
    "tap-entry",
    "tap-exit",
    "tap-single",
    "nav-rides",
    "application-waiting",
    "application-approved",
    "application-refused",
    "application-withdrawn",
    "application-used",
    "application-expired",
    "ride-paying",
    "ride-by-institution",
    "ride-by-person",
    "ride-split",
    "ride-owed",
    "form-no-form",
    "form-not-approved",
    "form-not-yet-valid",
    "form-expired",
    "form-used-up",
    "form-switched-off",
    "form-other-city",
    "form-in-use",
    "form-refused-by-institution",
    "nav-code",
    "nav-payments",
    "nav-profiles",
    "nav-privacy",
    "nav-account",
    "nav-till",
    "nav-sales",
    "nav-invoice",
    "number-user",
    "number-card",
    "number-passport",
    "identity-user_number",
    "identity-credential",
    "identity-cross_border_credential",
    "state-paid",
    "state-authorised",
    "state-paid-elsewhere",
    "state-refused",
    "state-voided",
    "state-expired",
    "state-reversed",
    "state-refunded",
    "state-partly-refunded",
    "error-not-found",
    "error-not-found-advice",
    "error-unreadable",
    "error-unreadable-advice",
    "error-foreign",
    "error-foreign-advice",
    "error-wrong-role",
    "error-wrong-role-advice",
    "error-busy",
    "error-busy-advice",
    "error-unknown-outcome",
    "error-unknown-outcome-advice",
    "error-internal",
    "error-internal-advice",
    "code-institution-none",
    "code-institution-paused",
    "code-not-tied",
    "code-closed",
    "alarm-code-repeated",
    "alarm-terminal-locked",
    "code-unknown-advice",
    "code-record-inactive-advice",
    "code-holder-left-advice",
    "code-used-advice",
    "code-expired-advice",
];

#[test]
fn the_wanted_language_is_found() {
    let cases = [
        ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
        ("en-GB,en;q=0.9,zh;q=0.8", Language::English),
        ("de;q=1, zh-TW;q=0.3", Language::Chinese),
        ("fr", Language::English),
        ("", Language::English),
        ("zh;q=oops", Language::English),
    ];
    for (header, expected) in cases {
        assert_eq!(Language::negotiate(header), expected, "{header}");
    }
}

#[test]
fn money_is_written_for_people() {
    let check = |language: Language, minor: i64, currency: &str, expected: &str| {
        let money = Money::new(minor, Currency::parse(currency).unwrap());
        assert_eq!(language.money(money), expected);
    };
    check(Language::English, 123_456_789, "EUR", "€1,234,567.89");
    check(Language::Chinese, 4_200, "CNY", "¥42.00");
    check(Language::English, 4_200, "CNY", "CN¥42.00");
    check(Language::English, -100_000, "JPY", "−¥100,000");
    check(Language::English, 5, "KWD", "KWD\u{a0}0.005");
    check(Language::English, 99_999, "CHF", "CHF\u{a0}999.99");
}

#[test]
fn days_are_those_of_the_zone() {
    let shanghai = time_zone("Asia/Shanghai");
    // 2026-11-22 17:30 UTC, a Sunday, is Monday 01:30 there.
    let at = 1_795_368_600_000;
    assert_eq!(Language::English.date_time(at, &shanghai), "23 Nov 2026, 01:30");
    assert_eq!(Language::Chinese.date_time(at, &shanghai), "2026年11月23日 01:30");
    assert_eq!(Language::Chinese.date(at, &TimeZone::UTC), "2026年11月22日");
    let (from, until) = day_bounds(at, &shanghai);
    assert_eq!((from, until - from), (1_795_363_200_000, 86_400_000));
    assert_eq!(Language::English.clock(from, &shanghai), "00:00:00");
}
