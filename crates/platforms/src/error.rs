//! What can go wrong behind a contract or a port, apart from what the rules refuse.

use std::sync::Arc;

/// A call that was not answered by its rules. Cheap to clone: one failed batch answers many callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PlatformError {
    /// Nothing was done; the same call may be made again later.
    #[error("not done, try again later")]
    Busy,
    /// Nothing was done: the other side or the disk is not there now.
    #[error("not done: {what} is not available")]
    Unavailable { what: &'static str },
    /// The call may or may not have been done. Ask before repeating; never report it as failed.
    #[error("the outcome is not known yet")]
    UnknownOutcome,
    /// A uniqueness rule of the store, by its name; use cases turn the ones they expect into refusals.
    #[error("{constraint} is taken")]
    Taken { constraint: String },
    #[error("internal error")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl PlatformError {
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(Arc::from(error.into()))
    }

    /// Whether this is the named uniqueness rule.
    pub fn is_taken(&self, name: &str) -> bool {
        matches!(self, Self::Taken { constraint } if constraint == name)
    }
}

pub type Result<T, E = PlatformError> = std::result::Result<T, E>;
