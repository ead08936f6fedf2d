//! Accounts as they are opened together with their owner.

use onescan_platforms::payments::NewAccount;

use crate::params;
use crate::sql::Value;
use crate::statements;
use crate::tx::Call;

statements! {
    pub(crate) OPEN = "insert into accounts
        (bucket, id, kind, owner_id, name, currency, posted_minor, held_minor, created_at)
        values (:bucket, :id::text, :kind::text, :owner::text, :name::text, :currency::text, 0, 0, :at)";
}

/// An empty account, opened at `at`, in the bucket its id names.
pub(crate) fn open(account: &NewAccount, at: i64) -> Call {
    Call::one(&OPEN, opened(account, at))
}

fn opened(account: &NewAccount, at: i64) -> Vec<Value> {
    params![
        account.id.bucket().number(),
        account.id.stored(),
        account.kind.name(),
        &account.owner,
        &account.name,
        account.currency.code(),
        at
    ]
}
