//! Where each platform lives and how it is, as the operator is shown it. Row S21.

use std::sync::Arc;

use futures_util::future::join_all;

use super::CONTRACTS;
use super::client::Connection;
use super::contract::Contract;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Up,
    /// No answer.
    Down,
    /// It does not offer this contract in a version that is understood.
    Unfit,
}

impl Health {
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unfit => "unfit",
        }
    }
}

/// One platform, seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub name: &'static str,
    /// `None`: in this process.
    pub address: Option<String>,
    pub health: Health,
    /// Of the contract, as the other side offers it.
    pub version: Option<String>,
    /// Which program answers there.
    pub program: Option<String>,
    /// Of the last call.
    pub latency_us: Option<u64>,
    /// Since this server started.
    pub calls: u64,
    /// Tries that got no answer, since this server started.
    pub failures: u64,
    /// What is wrong, in words.
    pub trouble: Option<String>,
}

/// All platforms in the order of their contracts. Those elsewhere are asked now, all at once; it takes as long as the slowest,
/// and at most the time limit of a call.
pub async fn standings(elsewhere: &[Arc<Connection>]) -> Vec<Standing> {
    let asking = CONTRACTS.iter().map(|contract| async move {
        let way = elsewhere.iter().find(|way| way.contract().name == contract.name);
        match way {
            Some(way) => Standing::elsewhere(way).await,
            None => Standing::here(contract),
        }
    });
    join_all(asking).await
}

impl Standing {
    fn here(contract: &Contract) -> Self {
        Self {
            name: contract.name,
            address: None,
            health: Health::Up,
            version: Some(contract.version.to_owned()),
            program: None,
            latency_us: None,
            calls: 0,
            failures: 0,
            trouble: None,
        }
    }

    async fn elsewhere(connection: &Connection) -> Self {
        let greeted = connection.greet().await;
        let seen = connection.seen();
        let health = match (&greeted, &seen.about) {
            (Ok(_), _) => Health::Up,
            (Err(_), Some(_)) if seen.trouble.is_empty() => Health::Unfit,
            (Err(_), _) => Health::Down,
        };
        Self {
            name: connection.contract().name,
            address: Some(connection.address().to_owned()),
            health,
            version: greeted.as_ref().ok().cloned(),
            program: seen.about.map(|about| format!("{} {}", about.program, about.version)),
            latency_us: (seen.latency_us > 0).then_some(seen.latency_us),
            calls: seen.calls,
            failures: seen.failures,
            trouble: greeted.err(),
        }
    }
}
