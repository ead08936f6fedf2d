//! Merchants, stores and terminals, all in the merchant's bucket.

use async_trait::async_trait;
use onescan_domain::ids::{AccountId, KeyId, MerchantId, StoreId, TerminalId};
use onescan_domain::merchants::{
    self as domain, GuardLimits, Merchant, Terminal, TerminalGuard, TerminalRole, TerminalTrust,
};
use onescan_domain::payments::ledger::AccountKind;
use onescan_platforms::error::Result;
use onescan_platforms::merchants::MerchantStore;
use onescan_platforms::payments::NewAccount;

use crate::decode::{currency, id, parsed};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, accounts, params, statements};

statements! {
    INSERT = "insert into merchants (bucket, id, name, category, currency, account_id, created_at)
        values (:bucket, :id::text, :name::text, :category, :currency::text, :account::text, :created_at)";
    FIND = "select id, name, category, currency, account_id, created_at from merchants
        where bucket = :bucket and id = :id::text";
    LIST_ALL_BUCKETS = "select id, name, category, currency, account_id, created_at from merchants
        where id > :after::text order by id limit :limit";
    INSERT_STORE = "insert into stores (bucket, id, merchant_id, name, category, city)
        values (:bucket, :id::text, :merchant::text, :name::text, :category, :city::text)";
    FIND_STORE = "select id, merchant_id, name, category, city from stores where bucket = :bucket and id = :id::text";
    LIST_STORES = "select id, merchant_id, name, category, city from stores
        where bucket = :bucket and merchant_id = :merchant::text order by id";
    INSERT_TERMINAL = "insert into terminals
            (bucket, id, merchant_id, store_id, name, role, trust, may_assert_paid, created_at)
        values (:bucket, :id::text, :merchant::text, :store::text, :name::text, :role::text, :trust::text,
            :may_assert_paid, :created_at)";
    FIND_TERMINAL = "select id, merchant_id, store_id, name, role, trust, may_assert_paid, created_at from terminals
        where bucket = :bucket and id = :id::text";
    LIST_TERMINALS = "select id, merchant_id, store_id, name, role, trust, may_assert_paid, created_at from terminals
        where bucket = :bucket and merchant_id = :merchant::text order by id";
    LOAD_TERMINAL = "select t.id, t.merchant_id, t.store_id, t.name, t.role, t.trust, t.may_assert_paid, t.created_at,
            m.id, m.name, m.category, m.currency, m.account_id, m.created_at,
            s.id, s.merchant_id, s.name, s.category, s.city
        from terminals t
            join merchants m on m.bucket = t.bucket and m.id = t.merchant_id
            join stores s on s.bucket = t.bucket and s.id = t.store_id
        where t.bucket = :bucket and t.id = :id::text";
    FIND_GUARD = "select streak, hour, hour_count, locked_until from terminal_guards
        where bucket = :bucket and terminal_id = :terminal::text";
    BEGIN_GUARD = "insert into terminal_guards (bucket, terminal_id, streak, hour, hour_count, locked_until)
        values (:bucket, :terminal::text, 0, 0, 0, 0) on conflict (bucket, terminal_id) do nothing";
    LOCK_GUARD = "select streak, hour, hour_count, locked_until from terminal_guards
        where bucket = :bucket and terminal_id = :terminal::text {for update}";
    PUT_GUARD = "insert into terminal_guards (bucket, terminal_id, streak, hour, hour_count, locked_until)
        values (:bucket, :terminal::text, :streak, :hour, :hour_count, :locked_until)
        on conflict (bucket, terminal_id) do update set streak = excluded.streak, hour = excluded.hour,
            hour_count = excluded.hour_count, locked_until = excluded.locked_until";
    LIST_KEYS = "select id from access_keys
        where bucket = :bucket and kind = 'terminal' and holder_id = :terminal::text and revoked_at is null
        order by id";
}

/// Where the columns of each part of `LOAD_TERMINAL` begin.
const MERCHANT_COLUMNS: usize = 8;
const STORE_COLUMNS: usize = 14;

#[async_trait]
impl MerchantStore for Store {
    async fn insert(&self, merchant: &Merchant) -> Result<()> {
        let account = NewAccount {
            id: merchant.account,
            kind: AccountKind::Merchant,
            owner: merchant.id.stored(),
            name: merchant.name.clone(),
            currency: merchant.currency,
        };
        let input = (merchant.clone(), account);
        let inserting = self.db.write_with(input, |tx, (merchant, account)| {
            let insert = Call::one(&INSERT, merchant_values(merchant));
            let open = accounts::open(account, merchant.created_at);
            Box::pin(async move { tx.execute_all(vec![insert, open]).await })
        });
        Ok(inserting.await.map(drop)?)
    }

    async fn find(&self, id: MerchantId) -> Result<Option<Merchant>> {
        let found = self.db.query_opt(&FIND, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(|mut row| merchant(&mut row, 0)).transpose()?)
    }

    async fn list(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        let page = params![after.map(MerchantId::stored).unwrap_or_default(), limit];
        let mut rows = self.list_long(&LIST_ALL_BUCKETS, page).await?;
        Ok(rows.iter_mut().map(|row| merchant(row, 0)).collect::<Result<_, _>>()?)
    }

    async fn insert_store(&self, store: &domain::Store) -> Result<()> {
        let row = params![
            store.id.bucket().number(),
            store.id.stored(),
            store.merchant.stored(),
            &store.name,
            store.category,
            &store.city
        ];
        Ok(self.change_one(&INSERT_STORE, row).await?)
    }

    async fn find_store(&self, id: StoreId) -> Result<Option<domain::Store>> {
        let found = self
            .db
            .query_opt(&FIND_STORE, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(|mut row| store(&mut row, 0)).transpose()?)
    }

    async fn list_stores(&self, merchant: MerchantId) -> Result<Vec<domain::Store>> {
        let key = params![merchant.bucket().number(), merchant.stored()];
        let mut rows = self.list_long(&LIST_STORES, key).await?;
        Ok(rows.iter_mut().map(|row| store(row, 0)).collect::<Result<_, _>>()?)
    }

    async fn insert_terminal(&self, terminal: &Terminal) -> Result<()> {
        let row = params![
            terminal.id.bucket().number(),
            terminal.id.stored(),
            terminal.merchant.stored(),
            terminal.store.stored(),
            &terminal.name,
            terminal.role.name(),
            terminal.trust.name(),
            terminal.may_assert_paid,
            terminal.created_at
        ];
        Ok(self.change_one(&INSERT_TERMINAL, row).await?)
    }

    async fn find_terminal(&self, id: TerminalId) -> Result<Option<Terminal>> {
        let found = self
            .db
            .query_opt(&FIND_TERMINAL, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(|mut row| terminal(&mut row)).transpose()?)
    }

    async fn list_terminals(&self, merchant: MerchantId) -> Result<Vec<Terminal>> {
        let key = params![merchant.bucket().number(), merchant.stored()];
        let mut rows = self.list_long(&LIST_TERMINALS, key).await?;
        Ok(rows.iter_mut().map(terminal).collect::<Result<_, _>>()?)
    }

    async fn load_terminal(&self, id: TerminalId) -> Result<Option<(Terminal, Merchant, domain::Store)>> {
        let key = params![id.bucket().number(), id.stored()];
        let Some(mut row) = self.db.query_opt(&LOAD_TERMINAL, key).await? else {
            return Ok(None);
        };
        let terminal = terminal(&mut row)?;
        let merchant = merchant(&mut row, MERCHANT_COLUMNS)?;
        Ok(Some((terminal, merchant, store(&mut row, STORE_COLUMNS)?)))
    }

    async fn find_guard(&self, id: TerminalId) -> Result<TerminalGuard> {
        let found = self
            .db
            .query_opt(&FIND_GUARD, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(guard).transpose()?.unwrap_or_default())
    }

    async fn note_invalid(&self, id: TerminalId, now: i64, limits: GuardLimits) -> Result<TerminalGuard> {
        let noting = self.db.write(move |tx| Box::pin(note_invalid(tx, id, now, limits)));
        Ok(noting.await?)
    }

    async fn list_keys(&self, terminal: TerminalId) -> Result<Vec<KeyId>> {
        let key = params![terminal.bucket().number(), terminal.stored()];
        let rows = self.db.query(&LIST_KEYS, key).await?;
        let ids = rows.iter().map(|row| id(row, 0, KeyId::new));
        Ok(ids.collect::<Result<_, _>>()?)
    }
}

/// The row is there before it is locked, so that not even the first two count as one.
async fn note_invalid(
    tx: &mut Tx,
    id: TerminalId,
    now: i64,
    limits: GuardLimits,
) -> std::result::Result<TerminalGuard, DbError> {
    let key = || params![id.bucket().number(), id.stored()];
    tx.execute(&BEGIN_GUARD, key()).await?;
    let before = guard(tx.query_one(&LOCK_GUARD, key()).await?)?;
    let after = before.after_invalid(now, limits);
    let mut row = key();
    row.extend(params![after.streak, after.hour, after.hour_count, after.locked_until]);
    tx.execute_one(&PUT_GUARD, row).await?;
    Ok(after)
}

fn merchant_values(merchant: &Merchant) -> Vec<Value> {
    params![
        merchant.id.bucket().number(),
        merchant.id.stored(),
        &merchant.name,
        merchant.category,
        merchant.currency.code(),
        merchant.account.stored(),
        merchant.created_at
    ]
}

fn merchant(row: &mut Row, first: usize) -> Result<Merchant, DbError> {
    Ok(Merchant {
        id: id(row, first, MerchantId::new)?,
        name: row.take_text(first + 1)?,
        category: row.number(first + 2)?,
        currency: currency(row, first + 3)?,
        account: id(row, first + 4, AccountId::new)?,
        created_at: row.int(first + 5)?,
    })
}

fn store(row: &mut Row, first: usize) -> Result<domain::Store, DbError> {
    Ok(domain::Store {
        id: id(row, first, StoreId::new)?,
        merchant: id(row, first + 1, MerchantId::new)?,
        name: row.take_text(first + 2)?,
        category: row.opt_number(first + 3)?,
        city: row.take_text(first + 4)?,
    })
}

fn terminal(row: &mut Row) -> Result<Terminal, DbError> {
    Ok(Terminal {
        id: id(row, 0, TerminalId::new)?,
        merchant: id(row, 1, MerchantId::new)?,
        store: id(row, 2, StoreId::new)?,
        name: row.take_text(3)?,
        role: parsed(row, 4, "terminal role", TerminalRole::parse)?,
        trust: parsed(row, 5, "terminal trust", TerminalTrust::parse)?,
        may_assert_paid: row.flag(6)?,
        created_at: row.int(7)?,
    })
}

fn guard(row: Row) -> Result<TerminalGuard, DbError> {
    Ok(TerminalGuard {
        streak: row.int(0)?,
        hour: row.int(1)?,
        hour_count: row.int(2)?,
        locked_until: row.int(3)?,
    })
}
