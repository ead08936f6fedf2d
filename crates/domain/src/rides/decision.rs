//! What an institution's own system says about a ride, and what holds where it says nothing. Row R05.

use std::sync::Arc;

use crate::policy::{Allowed, Condition, Dimension, Operator, Reason, Seen, Verdict, WordList};

/// One answer, or that there was none and the institution wants none of that paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RideDecision {
    /// Policy and funding still count: it permits no more than they do.
    Approve,
    /// `reason`: 1 to 200 characters, for the person to read.
    Refuse { reason: String },
    /// Nothing that counts came in time.
    NoAnswer { why: NoAnswer },
}

/// What holds where no answer came that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Otherwise {
    /// The institution's policy decides alone.
    #[default]
    OwnPolicy,
    /// The institution does not pay.
    Refuse,
}

impl Otherwise {
    pub const ALL: [Self; 2] = [Self::OwnPolicy, Self::Refuse];

    pub fn name(self) -> &'static str {
        match self {
            Self::OwnPolicy => "own_policy",
            Self::Refuse => "refuse",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|otherwise| otherwise.name() == name)
    }
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Not within the time budget.
    TooLate,
    /// No connection, or it broke off.
    Unreachable,
    /// Another status than 200; a redirection is one.
    Status(u16),
    /// No JSON, or not what is agreed, or too long.
    Broken,
    /// The address is one that this server must not call.
    Forbidden,
    /// Too many questions to it are open already.
    Busy,
}

impl NoAnswer {
    /// `too_late`, `status 503`.
    pub fn text(self) -> String {
        match self {
            Self::TooLate => "too_late".to_owned(),
            Self::Unreachable => "unreachable".to_owned(),
            Self::Status(status) => format!("status {status}"),
            Self::Broken => "broken".to_owned(),
            Self::Forbidden => "forbidden".to_owned(),
            Self::Busy => "busy".to_owned(),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "too_late" => Self::TooLate,
            "unreachable" => Self::Unreachable,
            "broken" => Self::Broken,
            "forbidden" => Self::Forbidden,
            "busy" => Self::Busy,
            text => Self::Status(text.strip_prefix("status ")?.parse().ok()?),
        })
    }
}

impl RideDecision {
    /// `approve`, `refuse: over budget`, `none: too_late`; read back by [`Self::parse`].
    pub fn text(&self) -> String {
        match self {
            Self::Approve => "approve".to_owned(),
            Self::Refuse { reason } => format!("refuse: {reason}"),
            Self::NoAnswer { why } => format!("none: {}", why.text()),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        if text == "approve" {
            return Some(Self::Approve);
        }
        if let Some(reason) = text.strip_prefix("refuse: ") {
            let reason = reason.to_owned();
            return Some(Self::Refuse { reason });
        }
        let why = NoAnswer::parse(text.strip_prefix("none: ")?)?;
        Some(Self::NoAnswer { why })
    }

    /// As rules see it; empty where nothing was answered.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Refuse { .. } => "refuse",
            Self::NoAnswer { .. } => "",
        }
    }

    /// The line it adds to the trace of a decision: `decision in approve`.
    pub fn reason(&self) -> Reason {
        let approve = WordList::new(["approve"]).expect("one word");
        let condition = Condition::new(Dimension::Decision, Operator::In, Allowed::Words(approve));
        Reason {
            condition: Arc::new(condition.expect("words go with the dimension")),
            seen: Some(Seen::Word(self.text().into())),
            verdict: match self {
                Self::Approve => Verdict::Holds,
                Self::Refuse { .. } | Self::NoAnswer { .. } => Verdict::Fails,
            },
            negated: false,
            excused: false,
            left: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_back() {
        let refuse = |reason: &str| RideDecision::Refuse {
            reason: reason.to_owned(),
        };
        let none = |why| RideDecision::NoAnswer { why };
        for (decision, text, holds) in [
            (RideDecision::Approve, "approve", true),
            (refuse("over: budget"), "refuse: over: budget", false),
            (none(NoAnswer::TooLate), "none: too_late", false),
            (none(NoAnswer::Status(503)), "none: status 503", false),
        ] {
            assert_eq!(decision.text(), text);
            assert_eq!(decision.reason().satisfied(), holds, "{text}");
            assert_eq!(RideDecision::parse(text), Some(decision));
        }
        assert_eq!(RideDecision::parse("approved"), None);
        assert_eq!(RideDecision::parse("none: whatever"), None);
    }
}
