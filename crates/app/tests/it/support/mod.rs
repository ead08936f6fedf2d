//! What acceptance tests share: a [`TestApp`] on a database of its own, requests, and builders of who takes part.

pub mod app;
pub mod arrangement;
pub mod builders;
pub mod decoders;
pub mod http;
pub mod inventory;
pub mod machine;
pub mod program;
pub mod rows;
pub mod shown;

pub use app::TestApp;
pub use builders::Cast;

/// Makes two tests of each function, one per database engine: `NAME::sqlite` and `NAME::postgres`.
///
/// The function's `TestApp` is fresh. When the function is done, what it left in the outbox is posted, and the test fails
/// where an invariant of the ledger is broken. The PostgreSQL test needs [`onescan_store::testing::POSTGRES_URL`]; without
/// it, it says so, and fails where the variable `CI` is set.
///
/// ```ignore
/// on_both! {
///     /// Row S01: …
///     async fn s01_each_access_has_a_code_of_its_own(app: TestApp) {
///         …
///     }
/// }
/// ```
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: $app_type:ty) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn $name($app: $app_type) $body

            #[tokio::test]
            async fn sqlite() {
                $crate::support::app::run($crate::support::app::Engine::Sqlite, $name).await;
            }

            #[tokio::test]
            async fn postgres() {
                $crate::support::app::run($crate::support::app::Engine::Postgres, $name).await;
            }
        }
    )*};
}

pub(crate) use on_both;
