//! Rides that an institution may pay for: applications of people, rules of institutions, orders of providers. Rows R01-R11.

mod applications;
mod bill_schedules;
mod bills;
mod deciders;
mod mine;
mod orders;
mod policies;
mod types;
mod view;

pub use mine::follow_rides;

use super::endpoint::Endpoint;

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = applications::endpoints();
    all.extend(mine::endpoints());
    all.extend(types::endpoints());
    all.extend(policies::endpoints());
    all.extend(deciders::endpoints());
    all.extend(orders::endpoints());
    all.extend(bills::endpoints());
    all.extend(bill_schedules::endpoints());
    all.into_iter().map(|endpoint| endpoint.tag("rides")).collect()
}
