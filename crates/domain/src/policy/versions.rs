//! Scheduled changes: which version of a policy holds at which time.

use super::Policy;

/// A policy from an instant on, until the next version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Counts up from 1; the order in which the versions were written.
    pub number: u32,
    /// Milliseconds since 1970, included.
    pub from_at: i64,
    pub policy: Policy,
}

/// All versions of one policy. A later version for the same instant replaces the earlier one; an instant before all
/// versions has none, and then nothing is permitted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyVersions {
    /// In the order of `from_at`, then `number`.
    versions: Vec<PolicyVersion>,
}

/// Why a change cannot be scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// What held in the past is a fact that decisions were made by.
    #[error("a change can hold from now on, not from before")]
    Past,
    #[error("there is no such version, or it holds already")]
    NotPending,
}

impl PolicyVersions {
    pub fn new(mut versions: Vec<PolicyVersion>) -> Self {
        versions.sort_by_key(|version| (version.from_at, version.number));
        Self { versions }
    }

    pub fn all(&self) -> &[PolicyVersion] {
        &self.versions
    }

    /// The version that holds at `at`.
    pub fn at(&self, at: i64) -> Option<&PolicyVersion> {
        let later = self.versions.partition_point(|version| version.from_at <= at);
        later.checked_sub(1).map(|place| &self.versions[place])
    }

    /// The versions that do not hold yet at `now`.
    pub fn pending(&self, now: i64) -> &[PolicyVersion] {
        &self.versions[self.versions.partition_point(|version| version.from_at <= now)..]
    }

    /// Lets `policy` hold from `from_at` on; the new version's number.
    pub fn schedule(&mut self, policy: Policy, from_at: i64, now: i64) -> Result<u32, ScheduleError> {
        if from_at < now {
            return Err(ScheduleError::Past);
        }
        let number = self.versions.iter().map(|version| version.number).max().unwrap_or(0) + 1;
        let place = self.versions.partition_point(|version| version.from_at <= from_at);
        self.versions.insert(
            place,
            PolicyVersion {
                number,
                from_at,
                policy,
            },
        );
        Ok(number)
    }

    /// Takes back a change that does not hold yet.
    pub fn withdraw(&mut self, number: u32, now: i64) -> Result<PolicyVersion, ScheduleError> {
        let pending = |version: &PolicyVersion| version.number == number && version.from_at > now;
        let place = self
            .versions
            .iter()
            .position(pending)
            .ok_or(ScheduleError::NotPending)?;
        Ok(self.versions.remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(amount: i64) -> Policy {
        Policy::default().at_most(super::super::Dimension::Amount, amount)
    }

    #[test]
    fn the_latest_version_that_has_begun_holds() {
        let mut versions = PolicyVersions::default();
        assert_eq!(versions.at(i64::MAX), None);
        assert_eq!(versions.schedule(limit(1), 100, 100), Ok(1));
        assert_eq!(versions.schedule(limit(3), 300, 150), Ok(2));
        assert_eq!(versions.schedule(limit(2), 200, 150), Ok(3));
        let holds = |versions: &PolicyVersions, at| versions.at(at).map(|version| version.number);
        for (at, expected) in [
            (99, None),
            (100, Some(1)),
            (199, Some(1)),
            (200, Some(3)),
            (300, Some(2)),
        ] {
            assert_eq!(holds(&versions, at), expected, "{at}");
        }
        assert_eq!(versions.schedule(limit(4), 149, 150), Err(ScheduleError::Past));
        assert_eq!(versions.withdraw(3, 200), Err(ScheduleError::NotPending));
        assert_eq!(versions.withdraw(2, 200).map(|version| version.policy), Ok(limit(3)));
        assert_eq!(holds(&versions, 400), Some(3));
        // Written later for the same instant: the later one holds.
        assert_eq!(versions.schedule(limit(5), 200, 200), Ok(4));
        assert_eq!(holds(&versions, 200), Some(4));
        assert!(versions.pending(200).is_empty());
        assert_eq!(PolicyVersions::new(versions.all().to_vec()), versions);
    }
}
