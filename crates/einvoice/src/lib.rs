//! An invoice in; XML and PDF out.
//!
//! One type of ours, [`Invoice`], becomes UBL 2.1 and CII ([`xml`]), pages and hybrids ([`pdf`]); what others send is read
//! back into it. Outside invoice crates stay behind that type.
//!
//! **Invariant:** pure and synchronous. No file, clock, network or randomness: dates are parameters, fonts are part of the
//! program, and the same input gives the same bytes.
//!
//! Rows S20 and R09. Source: S \[86\], \[96\], \[122\]-\[123\]; R claim 9.

pub mod check;
pub mod date;
pub mod decimal;
pub mod invoice;
pub mod pdf;
pub mod rides;
pub mod titles;
pub mod totals;
pub mod xml;

pub use check::{Fault, Problem};
pub use date::{Date, LocalMinute, Period};
pub use decimal::Decimal;
pub use invoice::Invoice;
pub use totals::Totals;
pub use xml::Profile;
