//! One table makes both ends of a contract: the client that answers the trait by asking elsewhere, the routes that answer
//! by asking the trait, and the document that tells others how.

use serde_json::Value;

use super::form::Schemas;

/// What a repeat of a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Changes nothing, so it may be asked as often as one likes.
    Read,
    /// A change that a repeat finds done: the ids or keys in it, or what it sets, make the second the same as the first.
    Same,
    /// A change that a repeat would make again. Never repeated when the first one's outcome is unknown.
    Once,
}

/// One call of a contract.
#[derive(Debug)]
pub struct Call {
    pub contract: &'static str,
    pub name: &'static str,
    pub path: &'static str,
    pub repeat: Repeat,
    pub(crate) about: &'static [&'static str],
    pub(crate) ask: fn(&mut Schemas) -> Value,
    pub(crate) answer: fn(&mut Schemas) -> Value,
}

/// A contract as its document and its access rules need it.
#[derive(Debug)]
pub struct Contract {
    pub name: &'static str,
    /// Major and minor: the major one stands in the path, and a change of it is another contract.
    pub version: &'static str,
    pub(crate) about: &'static [&'static str],
    /// Services that may call everything.
    pub callers: &'static [&'static str],
    /// Services that may call some things.
    pub may_also: &'static [(&'static str, &'static [&'static str])],
    pub calls: &'static [Call],
}

impl Contract {
    /// Whether the service named in a certificate may make this call.
    pub fn permits(&self, service: &str, call: &str) -> bool {
        let all = self.callers.contains(&service);
        all || self
            .may_also
            .iter()
            .any(|(name, calls)| *name == service && calls.contains(&call))
    }
}

/// Writes client, routes and document of one trait. `read`, `same` and `once` are [`Repeat`]; `[&]` marks what the trait
/// borrows.
macro_rules! contract {
    (
        $(#[doc = $about:literal])*
        $contract:ident: $trait:ident at $path:literal version $version:literal;
        callers $callers:tt, may also $may_also:tt;
        $remote:ident, $routes:ident;
        $( $(#[doc = $doc:literal])* $repeat:ident $name:ident ( $( $param:ident $([$amp:tt])? : $kind:ty ),* $(,)? ) -> $answer:ty; )*
    ) => {
        #[expect(non_camel_case_types, reason = "named like the call they ask")]
        mod asks {
            use super::*;

            $(
                #[derive(serde::Serialize, serde::Deserialize)]
                pub(crate) struct $name { $( pub(super) $param: <$kind as Wire>::Form ),* }
            )*
        }

        $(#[doc = $about])*
        pub static $contract: $crate::wire::contract::Contract = $crate::wire::contract::Contract {
            name: $path,
            version: $version,
            about: &[$($about),*],
            callers: &$callers,
            may_also: &$may_also,
            calls: &[$( $crate::wire::contract::Call {
                contract: $path,
                name: stringify!($name),
                path: concat!("/wire/v1/", $path, "/", stringify!($name)),
                repeat: $crate::wire::contract::repeat!($repeat),
                about: &[$($doc),*],
                ask: |_schemas| $crate::wire::form::object("", vec![$(
                    (stringify!($param), <$kind as Wire>::schema(_schemas), String::new())
                ),*]),
                answer: |schemas| <$answer as Wire>::schema(schemas),
            } ),*],
        };

        /// The client's end.
        #[derive(Debug, Clone)]
        pub struct $remote(pub std::sync::Arc<$crate::wire::client::Connection>);

        #[async_trait::async_trait]
        impl $trait for $remote {
            $(
                async fn $name(&self, $( $param: $($amp)? $kind ),*) -> onescan_platforms::error::Result<$answer> {
                    let ask = asks::$name { $( $param: Wire::form(&*$crate::wire::contract::lent!($($amp)? $param)) ),* };
                    let answer = self.0.call(&$contract, stringify!($name), &ask).await?;
                    <$answer as Wire>::read(answer).map_err(|wrong| self.0.unreadable(stringify!($name), &wrong))
                }
            )*
        }

        /// The server's end.
        pub(crate) fn $routes(platform: std::sync::Arc<dyn $trait>) -> axum::Router {
            axum::Router::new()
                $( .route(
                    concat!("/wire/v1/", $path, "/", stringify!($name)),
                    $crate::wire::server::answering(
                        &$contract,
                        stringify!($name),
                        platform.clone(),
                        |_platform: std::sync::Arc<dyn $trait>, _ask: asks::$name| async move {
                            $( let $param = <$kind as Wire>::read(_ask.$param).map_err(|wrong| wrong.within(stringify!($param)))?; )*
                            let answer = _platform.$name($( $($amp)? $param ),*).await?;
                            Ok(<$answer as Wire>::form(&answer))
                        },
                    ),
                ) )*
        }
    };
}
pub(crate) use contract;

macro_rules! repeat {
    (read) => {
        $crate::wire::contract::Repeat::Read
    };
    (same) => {
        $crate::wire::contract::Repeat::Same
    };
    (once) => {
        $crate::wire::contract::Repeat::Once
    };
}
pub(crate) use repeat;

/// A borrow of an argument, whether the trait takes it by value or borrowed.
macro_rules! lent {
    (& $param:ident) => {
        $param
    };
    ($param:ident) => {
        &$param
    };
}
pub(crate) use lent;
