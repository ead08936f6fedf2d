//! What a gate has seen of one passage: the input of matching entries and exits into rides. Row R04.

use crate::ids::{MerchantId, PersonId, RideDeviceId, TapId, TerminalId};

/// What a passage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TapKind {
    /// Into the paid area; an exit follows.
    Entry,
    /// Out of it.
    Exit,
    /// One tap is the whole ride, as on a bus with one fare.
    Single,
}

impl TapKind {
    pub const ALL: [Self; 3] = [Self::Entry, Self::Exit, Self::Single];

    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Exit => "exit",
            Self::Single => "tap",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Who the entitlement in the code says shall be asked first. The settlement decides; this is what the person was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payer {
    Person,
    Institution,
}

impl Payer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Institution => "institution",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Person, Self::Institution]
            .into_iter()
            .find(|payer| payer.name() == name)
    }
}

/// How the gate's time of a tap stands to the server's when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockFault {
    /// The tap is told to have been after it arrived: the gate's clock is ahead.
    Ahead,
    /// The tap is told to have been before the gate's tap before it: its clock was set back.
    Back,
}

impl ClockFault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Back => "back",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ahead, Self::Back].into_iter().find(|fault| fault.name() == name)
    }
}

/// One **accepted** passage. It is a fact: whatever is found out later, the gate let the person through.
///
/// Ids of taps lie in the provider's bucket and sort by the gate's time, which may be wrong: see `clock_fault`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    pub id: TapId,
    /// The ride provider: the merchant whose gate it is.
    pub provider: MerchantId,
    pub gate: TerminalId,
    /// Of the gate's journal, from 1 without gaps.
    pub sequence: u64,
    pub kind: TapKind,
    /// As the gate is set up, such as the `stop_id` of the provider's GTFS feed.
    pub station: String,
    /// Milliseconds since 1970 by the gate's clock.
    pub at: i64,
    pub received_at: i64,
    pub clock_fault: Option<ClockFault>,
    /// `None`: the code's device is not known to this server any more.
    pub person: Option<PersonId>,
    pub device: Option<RideDeviceId>,
    /// The device's counter in the code: the same device and counter at two gates is one code shown twice.
    pub counter: u64,
    pub payer: Payer,
    /// Of the rules the entitlement was issued under; hexadecimal.
    pub rule_digest: String,
    /// The gate knew of an entry without an exit, or of no entry before this exit: the maximum fare unless other taps explain it.
    pub incomplete: bool,
    /// Signatures and lifetimes hold at the tap's own time. `false`: the gate took what it should not have taken; its provider bears it.
    pub sound: bool,
}
