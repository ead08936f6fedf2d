//! A policy as people read it: a line a condition, blocks by their depth.

use onescan_domain::money::Currency;
use onescan_domain::policy::{Policy, Rule};

use super::super::page::Page;
use crate::i18n::reasons::condition;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    /// 0 for what stands outermost.
    pub depth: usize,
    pub text: String,
}

/// `rules`: as a version keeps it; what cannot be read any more is shown as it is.
pub fn lines(page: &Page, rules: &str, currency: Currency) -> Vec<RuleLine> {
    match Policy::parse(rules) {
        Ok(policy) => {
            let mut lines = Vec::new();
            add(page, policy.rules(), currency, 0, &mut lines);
            lines
        }
        Err(_) => {
            let plain = |text: &str| RuleLine {
                depth: 0,
                text: text.to_owned(),
            };
            rules.lines().map(plain).collect()
        }
    }
}

fn add(page: &Page, rules: &[Rule], currency: Currency, depth: usize, lines: &mut Vec<RuleLine>) {
    for rule in rules {
        let (text, inner) = match rule {
            Rule::Condition(known) => (condition(page.language, known, currency), None),
            Rule::All(inner) => (page.t("rule-all"), Some(inner)),
            Rule::Any(inner) => (page.t("rule-any"), Some(inner)),
            Rule::Not(inner) => (page.t("rule-not"), Some(inner)),
        };
        lines.push(RuleLine { depth, text });
        if let Some(inner) = inner {
            add(page, inner, currency, depth + 1, lines);
        }
    }
}
