//! A line of a decision as people read it, in every language of the pages.

use onescan_domain::money::{Currency, Money};
use onescan_domain::policy::{Allowed, Condition, Dimension, Operator, Reason, Seen, ValueKind, Verdict};
use onescan_domain::rides::decision::RideDecision;

use super::Language;

/// `Per day: at most €30.00 is allowed, this would make €45.00. €12.00 is left.` `currency`: of the order's amounts.
pub fn sentence(language: Language, reason: &Reason, currency: Currency) -> String {
    let dimension = reason.dimension();
    let name = language.text(&format!("dimension-{}", dimension.name()));
    let allowed = allowed_text(language, dimension, reason.condition.allowed(), currency);
    let seen = reason
        .seen
        .as_ref()
        .map(|seen| seen_text(language, dimension, seen, currency));
    let values = [
        ("rule", name.as_str()),
        ("allowed", allowed.as_str()),
        ("seen", seen.as_deref().unwrap_or_default()),
    ];
    let sentence = language.text_with(sentence_key(reason), &values);
    // For a single payment the bound itself is what is left.
    let left = reason
        .left
        .filter(|_| dimension != Dimension::Amount && !reason.satisfied());
    let sentence = match &reason.seen {
        // What an expression saw.
        Some(Seen::Truth(_, facts) | Seen::Fault(_, facts)) if !facts.is_empty() => {
            format!(
                "{sentence} {}",
                language.text_with("reason-facts", &[("facts", &**facts)])
            )
        }
        Some(_) | None => sentence,
    };
    match left.map(|left| number_text(language, dimension, left, currency)) {
        Some(left) => format!(
            "{sentence} {}",
            language.text_with("reason-left", &[("left", left.as_str())])
        ),
        None => sentence,
    }
}

/// `Per day: at most €30.00`: a condition by itself, before anything was seen.
pub fn condition(language: Language, condition: &Condition, currency: Currency) -> String {
    let dimension = condition.dimension();
    let rule = language.text(&format!("dimension-{}", dimension.name()));
    let allowed = allowed_text(language, dimension, condition.allowed(), currency);
    let key = match condition.operator() {
        Operator::AtMost => "rule-at-most",
        Operator::AtLeast => "rule-at-least",
        Operator::In => "rule-in",
        Operator::NotIn => "rule-not-in",
        Operator::Holds => "rule-holds",
    };
    language.text_with(key, &[("rule", rule.as_str()), ("allowed", allowed.as_str())])
}

/// The text that says what a reason says.
fn sentence_key(reason: &Reason) -> &'static str {
    match (reason.operator(), reason.verdict, reason.negated) {
        (_, Verdict::Unknown, _) => "reason-unknown",
        (Operator::AtMost, _, false) => "reason-at-most",
        (Operator::AtMost, _, true) => "reason-more-than",
        (Operator::AtLeast, _, false) => "reason-at-least",
        (Operator::AtLeast, _, true) => "reason-less-than",
        (Operator::In, _, false) | (Operator::NotIn, _, true) => "reason-in",
        (Operator::NotIn, _, false) | (Operator::In, _, true) => "reason-not-in",
        (Operator::Holds, _, false) => "reason-holds",
        (Operator::Holds, _, true) => "reason-holds-not",
    }
}

fn allowed_text(language: Language, dimension: Dimension, allowed: &Allowed, currency: Currency) -> String {
    let kind = dimension.row().kind;
    let joined = |parts: Vec<String>| parts.join(&language.text("reason-comma"));
    match allowed {
        Allowed::Number(number) => number_text(language, dimension, *number, currency),
        Allowed::Ranges(ranges) => joined(
            ranges
                .iter()
                .map(|(first, last)| match first == last && kind != ValueKind::ClockRanges {
                    true => place_text(language, dimension, *first),
                    false => format!(
                        "{}–{}",
                        place_text(language, dimension, *first),
                        place_text(language, dimension, *last)
                    ),
                })
                .collect(),
        ),
        Allowed::Words(words) if dimension == Dimension::Decision => {
            joined(words.words().map(|word| decision_word(language, word)).collect())
        }
        Allowed::Words(words) => joined(words.words().map(str::to_owned).collect()),
        Allowed::Days(_) | Allowed::Areas(_) | Allowed::Expression(_) => allowed.text(dimension),
    }
}

fn seen_text(language: Language, dimension: Dimension, seen: &Seen, currency: Currency) -> String {
    match seen {
        Seen::Number(number) => number_text(language, dimension, *number, currency),
        Seen::Place(place) => place_text(language, dimension, *place),
        Seen::Words(words) if words.is_empty() => language.text("reason-none"),
        Seen::Words(words) => words.join(&language.text("reason-comma")),
        Seen::Word(word) if dimension == Dimension::Decision => decision_text(language, word),
        Seen::Day(_) | Seen::Word(_) | Seen::Point(_) => seen.text(dimension),
        Seen::Truth(_, facts) | Seen::Fault(_, facts) => facts.to_string(),
    }
}

/// As a rule names it.
fn decision_word(language: Language, word: &str) -> String {
    match word {
        "approve" => language.text("decision-approve"),
        "refuse" => language.text("decision-refuse-word"),
        other => other.to_owned(),
    }
}

/// `refused: over budget`.
fn decision_text(language: Language, word: &str) -> String {
    match RideDecision::parse(word) {
        None | Some(RideDecision::Approve) => language.text("decision-approve"),
        Some(RideDecision::Refuse { reason }) => language.text_with("decision-refuse", &[("reason", reason.as_str())]),
        Some(RideDecision::NoAnswer { .. }) => language.text("decision-none"),
    }
}

fn number_text(language: Language, dimension: Dimension, number: i64, currency: Currency) -> String {
    match dimension.row().kind {
        ValueKind::Amount => language.money(Money::new(number, currency)),
        ValueKind::Percent => format!("{number} %"),
        ValueKind::Metres => format!("{number} m"),
        _ => number.to_string(),
    }
}

fn place_text(language: Language, dimension: Dimension, place: u16) -> String {
    let word = Seen::Place(place).text(dimension);
    match dimension.row().kind {
        ValueKind::Weekdays => language.text(&format!("weekday-{word}")),
        ValueKind::DayKinds => language.text(&format!("day-kind-{word}")),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use onescan_domain::calendar::LocalTime;
    use onescan_domain::policy::{DIMENSIONS, Policy, PolicyInput, Usage};

    use super::*;

    const SENTENCES: [&str; 12] = [
        "reason-at-most",
        "reason-more-than",
        "reason-at-least",
        "reason-less-than",
        "reason-in",
        "reason-not-in",
        "reason-holds",
        "reason-holds-not",
        "reason-unknown",
        "reason-left",
        "reason-none",
        "reason-comma",
    ];

    fn trace(policy: &str) -> Vec<Reason> {
        let local = LocalTime {
            day: 2,
            month: 0,
            minute: 23 * 60,
        };
        let mut input = PolicyInput {
            used: Usage {
                day_minor: 1_800,
                day_count: 1,
                ..Usage::default()
            },
            category: Some(5812),
            merchant: "mer_1",
            city: "Wien",
            ..PolicyInput::new(Money::new(4_500, Currency::EUR), local)
        };
        input.member.labels = Some(&[]);
        Policy::parse(policy).unwrap().decide(&input).trace
    }

    fn check(policy: &str, english: &str, chinese: &str) {
        let reason = trace(policy).remove(0);
        assert_eq!(sentence(Language::English, &reason, Currency::EUR), english);
        assert_eq!(sentence(Language::Chinese, &reason, Currency::EUR), chinese);
    }

    #[test]
    fn reasons_name_the_rule_the_bound_and_what_is_left() {
        check(
            "amount_day <= 3000",
            "Per day: at most €30.00 is allowed, this would make €63.00. €12.00 is left.",
            "每日金额：最多 €30.00，本次将达到 €63.00。 还剩 €12.00。",
        );
        check(
            "amount <= 3000",
            "Per payment: at most €30.00 is allowed, this would make €45.00.",
            "单笔金额：最多 €30.00，本次将达到 €45.00。",
        );
        check(
            "count_day <= 1",
            "Payments per day: at most 1 is allowed, this would make 2. 0 is left.",
            "每日笔数：最多 1，本次将达到 2。 还剩 0。",
        );
        check(
            "weekday in mon-fri",
            "Weekday: allowed are Mon–Fri, this was Sat.",
            "星期：允许 周一–周五，本次为 周六。",
        );
        check(
            "clock not in 22:00-06:00",
            "Time of day: 22:00–06:00 is excluded, this was 23:00.",
            "时段：不允许 22:00–06:00，本次为 23:00。",
        );
        check(
            "not\n day_kind in weekend",
            "Kind of day: weekend is excluded, this was weekend.",
            "日期类型：不允许 周末，本次为 周末。",
        );
        check(
            "label in driver",
            "Label: allowed are driver, this was none.",
            "标签：允许 driver，本次为 无。",
        );
        check(
            "end_stop in Harbour",
            "Destination: Harbour is asked about, and the order does not say.",
            "终点站：规则涉及 Harbour，但订单未提供该信息。",
        );
    }

    /// A text that is missing in Chinese would fall back to the English one.
    #[test]
    fn every_text_is_translated() {
        let values = [("rule", "r"), ("allowed", "a"), ("seen", "s"), ("left", "l")];
        let dimensions = DIMENSIONS.iter().map(|row| format!("dimension-{}", row.name));
        for key in dimensions.chain(SENTENCES.map(str::to_owned)) {
            let [english, chinese] = Language::ALL.map(|language| language.text_with(&key, &values));
            assert_ne!(english, chinese, "{key}");
        }
    }

    /// The example of every dimension, plainly and under `not`.
    #[test]
    fn no_dimension_operator_or_verdict_lacks_its_words() {
        for language in Language::ALL {
            for key in SENTENCES {
                let values = [("rule", "r"), ("allowed", "a"), ("seen", "s"), ("left", "l")];
                let text = language.text_with(key, &values);
                assert!(!text.contains("nknown local"), "{key} {}: {text}", language.name());
            }
            for row in DIMENSIONS {
                let key = format!("dimension-{}", row.name);
                assert!(language.knows(&key), "{key} {}", language.name());
                for policy in [row.example.to_owned(), format!("not\n {}", row.example)] {
                    for reason in trace(&policy) {
                        assert!(SENTENCES.contains(&sentence_key(&reason)));
                        let text = sentence(language, &reason, Currency::EUR);
                        let name = language.text(&key);
                        assert!(text.starts_with(&name) && text.len() > name.len() + 5, "{text}");
                        assert!(!text.contains('{') && !text.contains("nknown local"), "{text}");
                    }
                }
            }
            for word in ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] {
                assert!(language.knows(&format!("weekday-{word}")));
            }
            for word in ["workday", "weekend", "holiday"] {
                assert!(language.knows(&format!("day-kind-{word}")));
            }
        }
    }
}
