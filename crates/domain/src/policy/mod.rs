//! The rule engine: a policy is a tree of conditions over dimensions, and every decision tells what each dimension saw.
//!
//! Scenarios, travel policies and funding rules use the same engine. Integers only, no clock, no IO: the same
//! call serves a payment, a dry run, and a replay of the past ([`replay`]). Module `parse` describes the text.
//!
//! **Invariant:** what the order does not say is unknown, and unknown is never permission: neither under `in` nor under
//! `not in`, neither plainly nor under `not`.

mod condition;
mod counters;
mod dimension;
mod facts;
mod input;
mod parse;
pub mod replay;
mod value;
pub mod versions;

use std::fmt;
use std::sync::Arc;

pub use condition::{Condition, Operator, Reason, ReasonText, Verdict};
pub use counters::Counters;
pub use dimension::{DIMENSIONS, Dimension, DimensionRow, ValueKind};
pub use facts::{FACTS, Fact, FactKind, FactRow, FactValue};
pub use input::{
    ExpressionError, ExpressionFault, Expressions, MemberFacts, Named, Place, PolicyInput, RideFacts, Usage,
};
pub use parse::{CONDITIONS_MAX, DEPTH_MAX, PolicyError};
pub use value::{Allowed, EXPRESSION_MAX, Seen, WordList};

/// All rules must hold; a policy without rules allows everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// A bit for each dimension that some condition looks at.
    dimensions: u64,
}

/// A condition, or several joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Condition(Arc<Condition>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    /// Not all of them.
    Not(Vec<Rule>),
}

/// The outcome with the trace of every condition, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    pub trace: Vec<Reason>,
}

impl Decision {
    pub fn allowed(&self) -> bool {
        self.verdict == Verdict::Holds
    }

    /// The conditions for which it was not allowed; none when it was.
    pub fn failed(&self) -> impl Iterator<Item = &Reason> {
        self.trace.iter().filter(|reason| reason.failed())
    }
}

impl Policy {
    /// Reads the text form: one condition a line, blocks by indentation; see module `parse`.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse::rules(text, None).map(Self::of_rules)
    }

    /// [`Self::parse`] for a text that somebody has just written: an expression that cannot be used is refused too.
    pub fn parse_new(text: &str, expressions: &dyn Expressions) -> Result<Self, PolicyError> {
        parse::rules(text, Some(expressions)).map(Self::of_rules)
    }

    /// [`Self::parse`] for lines that stand in a larger text, with their numbers in it.
    pub fn parse_lines<'t>(lines: impl IntoIterator<Item = (usize, &'t str)>) -> Result<Self, PolicyError> {
        parse::rules_of_lines(lines, None).map(Self::of_rules)
    }

    pub fn of_rules(rules: Vec<Rule>) -> Self {
        let mut dimensions = 0;
        visit(&rules, &mut |condition| dimensions |= condition.dimension().bit());
        Self { rules, dimensions }
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether some condition looks at `dimension`; lets a caller leave out costly facts nobody asks for.
    pub fn reads(&self, dimension: Dimension) -> bool {
        self.dimensions & dimension.bit() != 0
    }

    /// Whether a decision may depend on days off.
    pub fn reads_calendar(&self) -> bool {
        self.reads(Dimension::DayKind) || self.reads(Dimension::Expression)
    }

    /// The conditions in the order of the trace.
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut conditions = Vec::new();
        visit(&self.rules, &mut |condition| conditions.push(&**condition));
        conditions
    }

    /// Adds "at most `limit`" for `dimension`, an amount or a count.
    pub fn at_most(mut self, dimension: Dimension, limit: i64) -> Self {
        let condition = Condition::new(dimension, Operator::AtMost, Allowed::Number(limit));
        let condition = condition.expect("an upper bound goes with amounts and counts");
        self.rules.push(Rule::Condition(Arc::new(condition)));
        Self::of_rules(self.rules)
    }

    /// The upper bound that holds for an amount or count whatever else is so; `None` when there is none.
    pub fn limit(&self, dimension: Dimension) -> Option<i64> {
        bound(&self.rules, Joined::All, &|condition| {
            condition.at_most().filter(|_| condition.dimension() == dimension)
        })
    }

    /// Judges every condition, also after one failed, so that all reasons can be shown at once. Rows S11, S12, R06.
    /// Source: R claims 1, 5.
    pub fn decide(&self, input: &PolicyInput<'_>) -> Decision {
        let mut trace = Vec::with_capacity(self.rules.len().max(8));
        let verdict = judge_block(&self.rules, Joined::All, false, input, &mut trace);
        Decision { verdict, trace }
    }

    /// Whether [`Self::decide`] would allow it, without building the trace.
    pub fn allows(&self, input: &PolicyInput<'_>) -> bool {
        verdict_of_block(&self.rules, Joined::All, input) == Verdict::Holds
    }

    /// The largest amount one payment could have now under the upper bounds on amounts; `None` when there is none. Row S11.
    pub fn permitted_minor(&self, used: Usage) -> Option<i64> {
        bound(&self.rules, Joined::All, &|condition| {
            let spent = match condition.dimension() {
                Dimension::Amount => 0,
                Dimension::AmountDay => used.day_minor,
                Dimension::AmountWeek => used.week_minor,
                Dimension::AmountMonth => used.month_minor,
                Dimension::AmountQuarter => used.quarter_minor,
                Dimension::AmountYear => used.year_minor,
                _ => return None,
            };
            condition.at_most().map(|limit| limit.saturating_sub(spent).max(0))
        })
    }
}

/// How the rules of a block are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joined {
    All,
    Any,
}

fn visit<'r>(rules: &'r [Rule], each: &mut impl FnMut(&'r Arc<Condition>)) {
    for rule in rules {
        match rule {
            Rule::Condition(condition) => each(condition),
            Rule::All(rules) | Rule::Any(rules) | Rule::Not(rules) => visit(rules, each),
        }
    }
}

fn verdict_of(rule: &Rule, input: &PolicyInput<'_>) -> Verdict {
    match rule {
        Rule::Condition(condition) => condition.verdict(input),
        Rule::All(rules) => verdict_of_block(rules, Joined::All, input),
        Rule::Any(rules) => verdict_of_block(rules, Joined::Any, input),
        Rule::Not(rules) => !verdict_of_block(rules, Joined::All, input),
    }
}

fn verdict_of_block(rules: &[Rule], joined: Joined, input: &PolicyInput<'_>) -> Verdict {
    let mut block = joined.start();
    for rule in rules {
        block = joined.with(block, verdict_of(rule, input));
        if block == !joined.start() {
            break;
        }
    }
    block
}

/// The verdict of a block as it is written; `negated` says that the opposite is asked for.
fn judge_block(
    rules: &[Rule],
    joined: Joined,
    negated: bool,
    input: &PolicyInput<'_>,
    trace: &mut Vec<Reason>,
) -> Verdict {
    let first = trace.len();
    let verdict = rules.iter().fold(joined.start(), |block, rule| {
        let verdict = match rule {
            Rule::Condition(condition) => {
                let reason = condition.judge(input, negated);
                let verdict = reason.verdict;
                trace.push(reason);
                verdict
            }
            Rule::All(rules) => judge_block(rules, Joined::All, negated, input, trace),
            Rule::Any(rules) => judge_block(rules, Joined::Any, negated, input, trace),
            Rule::Not(rules) => !judge_block(rules, Joined::All, !negated, input, trace),
        };
        joined.with(block, verdict)
    });
    let satisfied = if negated { Verdict::Fails } else { Verdict::Holds };
    if verdict == satisfied {
        let unmet = trace[first..].iter_mut().filter(|reason| !reason.satisfied());
        unmet.for_each(|reason| reason.excused = true);
    }
    verdict
}

impl Joined {
    /// The verdict of a block with nothing in it.
    fn start(self) -> Verdict {
        match self {
            Self::All => Verdict::Holds,
            Self::Any => Verdict::Fails,
        }
    }

    /// One verdict that differs from the start decides; an unknown one stays until then.
    fn with(self, block: Verdict, next: Verdict) -> Verdict {
        if block == !self.start() || next == self.start() {
            block
        } else {
            next
        }
    }
}

/// The least bound of rules that must all hold, the greatest of rules of which one is enough. `not` gives no bound.
fn bound(rules: &[Rule], joined: Joined, of: &impl Fn(&Condition) -> Option<i64>) -> Option<i64> {
    let mut bounds = rules.iter().map(|rule| match rule {
        Rule::Condition(condition) => of(condition),
        Rule::All(rules) => bound(rules, Joined::All, of),
        Rule::Any(rules) => bound(rules, Joined::Any, of),
        Rule::Not(_) => None,
    });
    match joined {
        Joined::All => bounds.flatten().min(),
        Joined::Any => bounds
            .try_fold(None, |most: Option<i64>, bound| Some(most.max(Some(bound?))))
            .flatten(),
    }
}

impl fmt::Display for Policy {
    /// Reads back into an equal policy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        parse::write(f, &self.rules, 0)
    }
}

#[cfg(test)]
mod tests;
