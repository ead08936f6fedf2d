//! A refusal as text: a word for the kind, then what the kind knows.
//!
//! `currency CNY EUR`, `scenario 5812`, `consent 500 CNY`, `funds`, or `limit` and one line per reason with tabs between
//! dimension, operator, what was seen (nothing where it is unknown), what is allowed, verdict (`not` before one that stands
//! under a `not`, `excused` behind one that did not matter), and what was left.

use std::fmt::Write as _;

use onescan_domain::codes::parse_category;
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::PaymentRefusal;
use onescan_domain::policy::{Dimension, Operator, Reason, ReasonText, Verdict};

pub(crate) fn write(refusal: &PaymentRefusal) -> String {
    match refusal {
        PaymentRefusal::CurrencyMismatch { payer, asked } => format!("currency {payer} {asked}"),
        PaymentRefusal::ScenarioNotPermitted { category } => format!("scenario {category:04}"),
        PaymentRefusal::LimitExceeded { trace } => trace.iter().fold("limit".to_owned(), write_reason),
        PaymentRefusal::NoConsent { cap: None } => "consent".to_owned(),
        PaymentRefusal::NoConsent { cap: Some(cap) } => format!("consent {} {}", cap.minor, cap.currency),
        PaymentRefusal::InsufficientFunds => "funds".to_owned(),
    }
}

fn write_reason(mut text: String, reason: &Reason) -> String {
    let reason = ReasonText::from(reason);
    let written = write!(
        text,
        "\n{}\t{}\t{}\t{}\t{}{}{}\t{}",
        reason.dimension.name(),
        reason.operator.sign(),
        escape(&reason.seen.unwrap_or_default()),
        escape(&reason.allowed),
        if reason.negated { "not " } else { "" },
        reason.verdict.name(),
        if reason.excused { " excused" } else { "" },
        reason.left.map(|left| left.to_string()).unwrap_or_default(),
    );
    written.expect("writing to a String cannot fail");
    text
}

/// `None` for a text that [`write`] does not make.
pub(crate) fn read(text: &str) -> Option<PaymentRefusal> {
    let mut lines = text.split('\n');
    let mut words = lines.next()?.split(' ');
    Some(match words.next()? {
        "currency" => PaymentRefusal::CurrencyMismatch {
            payer: Currency::parse(words.next()?)?,
            asked: Currency::parse(words.next()?)?,
        },
        "scenario" => PaymentRefusal::ScenarioNotPermitted {
            category: parse_category(words.next()?)?,
        },
        "limit" => PaymentRefusal::LimitExceeded {
            trace: lines.map(read_reason).collect::<Option<_>>()?,
        },
        "consent" => PaymentRefusal::NoConsent {
            cap: match words.next() {
                None => None,
                Some(minor) => Some(Money::new(minor.parse().ok()?, Currency::parse(words.next()?)?)),
            },
        },
        "funds" => PaymentRefusal::InsufficientFunds,
        _ => return None,
    })
}

fn read_reason(line: &str) -> Option<Reason> {
    let parts: Vec<&str> = line.split('\t').collect();
    let &[dimension, operator, seen, allowed, verdict, left] = parts.as_slice() else {
        return None;
    };
    let (negated, verdict) = verdict
        .strip_prefix("not ")
        .map_or((false, verdict), |rest| (true, rest));
    let (excused, verdict) = verdict
        .strip_suffix(" excused")
        .map_or((false, verdict), |rest| (true, rest));
    let verdict = Verdict::parse(verdict)?;
    // Only what was not known is seen as nothing; a member without labels has an empty list.
    let unseen = seen.is_empty() && verdict == Verdict::Unknown;
    let text = ReasonText {
        dimension: Dimension::parse(dimension)?,
        operator: Operator::parse(operator)?,
        seen: if unseen { None } else { Some(unescape(seen)?) },
        allowed: unescape(allowed)?,
        verdict,
        negated,
        excused,
        left: match left {
            "" => None,
            left => Some(left.parse().ok()?),
        },
    };
    text.read()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn unescape(text: &str) -> Option<String> {
    let mut letters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                't' => '\t',
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use onescan_domain::calendar::LocalTime;
    use onescan_domain::geo::GeoPoint;
    use onescan_domain::money::Money;
    use onescan_domain::policy::{DIMENSIONS, Policy, PolicyInput};
    use proptest::prelude::*;

    use super::*;

    fn check(refusal: PaymentRefusal, expected: &str) {
        assert_eq!(write(&refusal), expected);
        assert_eq!(read(expected), Some(refusal));
    }

    #[test]
    fn refusals_are_texts() {
        let currencies = PaymentRefusal::CurrencyMismatch {
            payer: Currency::CNY,
            asked: Currency::EUR,
        };
        check(currencies, "currency CNY EUR");
        check(PaymentRefusal::ScenarioNotPermitted { category: 742 }, "scenario 0742");
        check(PaymentRefusal::InsufficientFunds, "funds");
        check(PaymentRefusal::NoConsent { cap: None }, "consent");
        let cap = Some(Money::new(500, Currency::CNY));
        check(PaymentRefusal::NoConsent { cap }, "consent 500 CNY");
        check(PaymentRefusal::LimitExceeded { trace: Vec::new() }, "limit");
        for foreign in [
            "",
            "limits",
            "currency CNY",
            "scenario 12",
            "limit\n",
            "limit\namount\t<=\t1\t2\tholds",
        ] {
            assert_eq!(read(foreign), None, "{foreign:?}");
        }
    }

    /// The example of every dimension, plainly and under `not`, over an order that knows much and one that knows little.
    fn traces() -> Vec<Vec<Reason>> {
        let examples: Vec<&str> = DIMENSIONS.iter().map(|row| row.example).collect();
        let flat = format!("{}\ncity not in Paris,東\t京\\", examples.join("\n"));
        let nested = format!("not\n  {}\nany of\n  {}", examples.join("\n  "), examples.join("\n  "));
        let local = LocalTime {
            day: 20_000,
            month: 657,
            minute: 600,
        };
        let poor = PolicyInput::new(Money::new(3_000, Currency::EUR), local);
        let mut rich = PolicyInput {
            category: Some(5812),
            merchant: "mer_2",
            city: "Utsu\tno\\miya",
            ..poor
        };
        rich.ride.start.point = GeoPoint::new(36_000_001, -5);
        rich.ride.ended = Some(local);
        rich.member.labels = Some(&[]);
        let policies = [flat, nested].map(|text| Policy::parse(&text).unwrap());
        let decided = policies
            .iter()
            .flat_map(|policy| [policy.decide(&poor), policy.decide(&rich)]);
        decided.map(|decision| decision.trace).collect()
    }

    #[test]
    fn a_decision_over_every_dimension_is_read_back_equal() {
        for trace in traces() {
            assert!(trace.len() >= DIMENSIONS.len());
            let refusal = PaymentRefusal::LimitExceeded { trace };
            assert_eq!(read(&write(&refusal)), Some(refusal));
        }
    }

    #[test]
    fn rows_from_before_there_were_blocks_are_read() {
        let old = "limit\namount_day\t<=\t7000\t6000\tfails\t2000\nclock\tin\t23:30\t06:00-22:00\tfails\t";
        let Some(PaymentRefusal::LimitExceeded { trace }) = read(old) else {
            panic!("not a limit")
        };
        assert!(trace.iter().all(Reason::failed));
        assert_eq!(write(&PaymentRefusal::LimitExceeded { trace }), old);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_fail(text in "[a-z\\\\\t\n <=0-9]{0,40}") {
            let read_back = read(&format!("limit\n{text}"));
            prop_assert!(read_back.is_none_or(|refusal| read(&write(&refusal)) == Some(refusal)));
        }
    }
}
