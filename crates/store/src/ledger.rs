//! Accounts and transfers.
//!
//! **Invariant:** a transfer's row and what it does to balances are written in one transaction. Limited accounts are
//! changed before the operator's own, each kind in the order of the ids, so that no two writers wait for each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use onescan_domain::ids::{AccountId, PaymentId, TransferId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::ledger::{
    Account, AccountKind, BalanceChange, Phase, Transfer, TransferKind, house_account,
};
use onescan_platforms::error::Result;
use onescan_platforms::payments::{Idempotency, MoveRefusal, NewAccount, Page};

use crate::decode::{currency, id, money, opt_id, opt_parsed, parsed, wrong};
use crate::error::DbError;
use crate::idempotency::{self, Earlier};
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, accounts, params, statements};

macro_rules! account_columns {
    () => {
        "kind, owner_id, name, currency, posted_minor, held_minor"
    };
}

macro_rules! transfer_columns {
    () => {
        "id, debit_id, credit_id, amount_minor, currency, kind, phase, pending_id, until_at, payment_id, corrects_id, \
         created_at"
    };
}

statements! {
    KEEP_HOUSE_ACCOUNT = concat!(
        "insert into accounts (bucket, id, ", account_columns!(), ", created_at) values (:bucket, :id::text, \
         :kind::text, '', :name::text, :currency::text, 0, 0, :created_at) on conflict (bucket, id) do nothing"
    );
    FIND_ACCOUNT = concat!(
        "select ", account_columns!(), " from accounts where bucket = :bucket and id = :id::text"
    );
    LOCK_ACCOUNT = concat!(
        "select ", account_columns!(), " from accounts where bucket = :bucket and id = :id::text {for update}"
    );
    LOCK_PAYER = concat!(
        "select ", account_columns!(), ", latest_payment_id, counters from accounts
         where bucket = :bucket and id = :id::text {for update}"
    );
    CHANGE_PAYER =
        "update accounts set posted_minor = posted_minor + :posted, held_minor = held_minor + :held,
         latest_payment_id = :latest::text, counters = coalesce(:counters::text, counters)
         where bucket = :bucket and id = :id::text";
    CHANGE_BALANCE =
        "update accounts set posted_minor = posted_minor + :posted, held_minor = held_minor + :held
         where bucket = :bucket and id = :id::text";
    CHANGE_HOUSE_BALANCE = concat!(
        "insert into accounts (bucket, id, ", account_columns!(), ", created_at) values (:bucket, :id::text, \
         :kind::text, '', :name::text, :currency::text, :posted, :held, :created_at)
         on conflict (bucket, id) do update set posted_minor = accounts.posted_minor + excluded.posted_minor, \
         held_minor = accounts.held_minor + excluded.held_minor"
    );
    INSERT_TRANSFER = concat!(
        "insert into transfers (bucket, ", transfer_columns!(), ") values (:bucket, :id::text, :debit::text, \
         :credit::text, :amount, :currency::text, :kind::text, :phase::text, :pending::text, :until, :payment::text, \
         :corrects::text, :created_at)"
    );
    FIND_TRANSFER = concat!(
        "select ", transfer_columns!(), " from transfers where bucket = :bucket and id = :id::text"
    );
    // Each condition on kinds is that of an index: the kinds left out have one of the operator's accounts on that side,
    // or are listed through their payments.
    DEBITS = concat!(
        "select ", transfer_columns!(), " from transfers where bucket = :bucket and debit_id = :account::text
         and (kind = 'allotment' or kind = 'correction' or kind = 'merchant_refund' or phase <> 'posted')
         and id < :after::text
         order by id desc limit :limit"
    );
    CREDITS = concat!(
        "select ", transfer_columns!(), " from transfers where bucket = :bucket and credit_id = :account::text
         and kind not in ('payment', 'merchant_refund') and id < :after::text order by id desc limit :limit"
    );
    // A reversed payment names its reversal, which names what it undid.
    PAID = "select t.id, t.debit_id, t.credit_id, t.amount_minor, t.currency, t.kind, t.phase, t.pending_id, t.until_at,
         t.payment_id, t.corrects_id, t.created_at from payments p
         join transfers r on r.bucket = p.bucket and r.id = p.transfer_id
         join transfers t on t.bucket = r.bucket
             and t.id = case when r.kind = 'reversal' then r.corrects_id else r.id end and t.phase = 'posted'
         where p.bucket = :bucket and p.account_id = :account::text and p.kind = 'institution' and p.id < :after::text
         order by p.id desc limit :limit";
    // The same along the chain of a person's own account.
    PAID_BY_PERSON = "with recursive chain (bucket, id, transfer_id, previous_id) as (
             select p.bucket, p.id, p.transfer_id, p.previous_id from accounts a
             join payments p on p.bucket = a.bucket and p.id = a.latest_payment_id
             where a.bucket = :bucket and a.id = :account::text
             union all
             select p.bucket, p.id, p.transfer_id, p.previous_id from chain c
             join payments p on p.bucket = c.bucket and p.id = c.previous_id)
         select t.id, t.debit_id, t.credit_id, t.amount_minor, t.currency, t.kind, t.phase, t.pending_id, t.until_at,
         t.payment_id, t.corrects_id, t.created_at from chain p
         join transfers r on r.bucket = p.bucket and r.id = p.transfer_id
         join transfers t on t.bucket = r.bucket
             and t.id = case when r.kind = 'reversal' then r.corrects_id else r.id end and t.phase = 'posted'
         where p.id < :after::text limit :limit";
    // Nearly every transfer of a bucket touches the operator's accounts, so few rows are read in vain.
    LIST_HOUSE_TRANSFERS = concat!(
        "select ", transfer_columns!(), " from transfers where bucket = :bucket and id < :after::text
         and (debit_id = :account::text or credit_id = :account::text) order by id desc limit :limit"
    );
}

/// Sorts after every id, for the first page of a list that runs backwards.
pub(crate) const LAST_ID: &str = "~";

/// `row`: [`account_columns`].
fn account(id: AccountId, mut row: Row) -> Result<Account, DbError> {
    Ok(Account {
        id,
        kind: parsed(&row, 0, "kind of account", AccountKind::parse)?,
        owner: row.take_text(1)?,
        name: row.take_text(2)?,
        currency: currency(&row, 3)?,
        posted_minor: row.int(4)?,
        held_minor: row.int(5)?,
    })
}

/// `row`: [`transfer_columns`].
fn transfer(row: &Row) -> Result<Transfer, DbError> {
    let pending = opt_id(row, 7, TransferId::new)?;
    let pending = pending.ok_or_else(|| wrong(7, "pending transfer"));
    Ok(Transfer {
        id: id(row, 0, TransferId::new)?,
        debit: id(row, 1, AccountId::new)?,
        credit: id(row, 2, AccountId::new)?,
        amount: money(row, 3, 4)?,
        kind: parsed(row, 5, "kind of transfer", TransferKind::parse)?,
        phase: match row.text(6)? {
            "posted" => Phase::Posted,
            "pending" => Phase::Pending { until: row.int(8)? },
            "posts" => Phase::Posts { pending: pending? },
            "voids" => Phase::Voids { pending: pending? },
            "expires" => Phase::Expires { pending: pending? },
            _ => return Err(wrong(6, "phase of a transfer")),
        },
        payment: opt_id(row, 9, PaymentId::new)?,
        corrects: opt_parsed(row, 10, "id", |text| TransferId::from_stored(text).ok())?,
        created_at: row.int(11)?,
    })
}

/// The bucket, then [`transfer_columns`].
pub(crate) fn transfer_parameters(transfer: &Transfer) -> Vec<Value> {
    let (pending, until) = match transfer.phase {
        Phase::Posted => (None, None),
        Phase::Pending { until } => (None, Some(until)),
        Phase::Posts { pending } | Phase::Voids { pending } | Phase::Expires { pending } => (Some(pending), None),
    };
    params![
        transfer.id.bucket().number(),
        transfer.id.stored(),
        transfer.debit.stored(),
        transfer.credit.stored(),
        transfer.amount.minor,
        transfer.amount.currency.code(),
        transfer.kind.name(),
        transfer.phase.name(),
        pending.map(TransferId::stored),
        until,
        transfer.payment.map(PaymentId::stored),
        transfer.corrects.map(TransferId::stored),
        transfer.created_at,
    ]
}

/// The kind of an operator's own account, which follows from its id; `None` for everybody else's.
pub(crate) fn house_kind(id: AccountId, currency: Currency) -> Option<AccountKind> {
    [AccountKind::Clearing, AccountKind::Bank, AccountKind::Suspense]
        .into_iter()
        .find(|kind| house_account(*kind, id.bucket(), currency) == id)
}

fn house_parameters(id: AccountId, kind: AccountKind, currency: Currency) -> Vec<Value> {
    params![
        id.bucket().number(),
        id.stored(),
        kind.name(),
        format!("{} {currency}", kind.name()),
        currency.code(),
    ]
}

/// Transfers that are written together, and what they do to balances.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    pub transfers: Vec<Transfer>,
    pub balances: BTreeMap<AccountId, BalanceChange>,
    /// The newest payments of people's own accounts, which move even where no money does.
    pub latest: BTreeMap<AccountId, Latest>,
}

/// What a person's own account keeps of its newest payment.
#[derive(Debug)]
pub(crate) struct Latest {
    pub payment: PaymentId,
    /// The account's counters after it; `None`: as they were.
    pub counters: Option<String>,
}

impl Latest {
    /// A payment that counts in no scenario.
    pub(crate) fn of(payment: PaymentId) -> Self {
        let counters = None;
        Self { payment, counters }
    }
}

/// An account that pays, locked.
#[derive(Debug)]
pub(crate) struct Payer {
    pub account: Account,
    /// People's own accounts keep them.
    pub latest: Option<PaymentId>,
    pub counters: Option<String>,
}

impl Postings {
    /// `released_minor`: what the transfer that `transfer` resolves had held; 0 when it resolves none.
    pub(crate) fn add(&mut self, transfer: Transfer, released_minor: i64) {
        let debit = self.balances.entry(transfer.debit).or_default();
        debit.held_minor -= released_minor;
        match transfer.phase {
            Phase::Pending { .. } => debit.held_minor += transfer.amount.minor,
            Phase::Posted | Phase::Posts { .. } => {
                debit.posted_minor -= transfer.amount.minor;
                self.balances.entry(transfer.credit).or_default().posted_minor += transfer.amount.minor;
            }
            Phase::Voids { .. } | Phase::Expires { .. } => {}
        }
        self.transfers.push(transfer);
    }

    /// The transfers' rows and the balances, in the order of this module's head.
    pub(crate) fn writes(&self) -> Vec<Call> {
        let transfers = self.transfers.iter().map(transfer_parameters).collect();
        let mut writes = vec![Call::each(&INSERT_TRANSFER, transfers)];
        writes.extend(self.balance_writes());
        writes
    }

    /// Without the transfers' own rows.
    pub(crate) fn balance_writes(&self) -> [Call; 3] {
        let sides = self.transfers.iter().flat_map(|transfer| {
            let currency = transfer.amount.currency;
            [(transfer.debit, currency), (transfer.credit, currency)]
        });
        let sides: BTreeSet<(AccountId, Currency)> = sides.collect();
        let at = self.transfers.first().map_or(0, |transfer| transfer.created_at);
        let (mut limited, mut house) = (Vec::new(), Vec::new());
        for (id, currency) in sides {
            let change = self.balances.get(&id).copied().unwrap_or_default();
            match house_kind(id, currency) {
                // Also without a change: the account exists from its first transfer on.
                Some(kind) => {
                    let mut parameters = house_parameters(id, kind, currency);
                    parameters.extend(params![change.posted_minor, change.held_minor, at]);
                    house.push(parameters);
                }
                None if change == BalanceChange::default() || self.latest.contains_key(&id) => {}
                None => limited.push(params![
                    change.posted_minor,
                    change.held_minor,
                    id.bucket().number(),
                    id.stored()
                ]),
            }
        }
        let payers = self.latest.iter().map(|(id, latest)| {
            let change = self.balances.get(id).copied().unwrap_or_default();
            let (posted, held) = (change.posted_minor, change.held_minor);
            let counters = latest.counters.as_deref();
            params![
                posted,
                held,
                latest.payment.stored(),
                counters,
                id.bucket().number(),
                id.stored()
            ]
        });
        [
            Call::each(&CHANGE_PAYER, payers.collect()),
            Call::each(&CHANGE_BALANCE, limited),
            Call::each(&CHANGE_HOUSE_BALANCE, house),
        ]
    }
}

/// Runs the writes in one round trip. Each parameter set must touch one row.
pub(crate) async fn write_all(tx: &mut Tx, writes: Vec<Call>) -> Result<(), DbError> {
    let writes: Vec<Call> = writes.into_iter().filter(|write| !write.sets.is_empty()).collect();
    let expected: Vec<_> = writes
        .iter()
        .map(|write| (write.statement.name(), write.sets.len() as u64))
        .collect();
    let touched = tx.execute_all(writes).await?;
    for ((statement, expected), touched) in expected.into_iter().zip(touched) {
        if touched != expected {
            return Err(DbError::RowCount {
                statement,
                expected,
                touched,
            });
        }
    }
    Ok(())
}

/// Reads accounts for change, in the order of their ids; those that do not exist are missing.
pub(crate) async fn lock_accounts(tx: &mut Tx, ids: &BTreeSet<AccountId>) -> Result<Vec<Account>, DbError> {
    let sets = ids.iter().map(account_key).collect();
    let found = tx.query_each(&LOCK_ACCOUNT, sets).await?;
    let found = ids.iter().zip(found);
    found
        .flat_map(|(id, rows)| rows.into_iter().map(|row| account(*id, row)))
        .collect()
}

/// As [`lock_accounts`], with what people's own accounts keep.
pub(crate) async fn lock_payers(tx: &mut Tx, ids: &BTreeSet<AccountId>) -> Result<Vec<Payer>, DbError> {
    let call = lock_payers_call(ids);
    let found = tx.query_each(call.statement, call.sets).await?;
    payers(ids, found)
}

/// The statement of [`lock_payers`], to travel with others; [`payers`] reads what it finds.
pub(crate) fn lock_payers_call(ids: &BTreeSet<AccountId>) -> Call {
    Call::each(&LOCK_PAYER, ids.iter().map(account_key).collect())
}

pub(crate) fn payers(ids: &BTreeSet<AccountId>, found: Vec<Vec<Row>>) -> Result<Vec<Payer>, DbError> {
    let found = ids.iter().zip(found);
    found
        .flat_map(|(account_id, rows)| rows.into_iter().map(|row| (*account_id, row)))
        .map(|(account_id, mut row)| {
            Ok(Payer {
                latest: opt_id(&row, 6, PaymentId::new)?,
                counters: row.take_opt_text(7)?,
                account: account(account_id, row)?,
            })
        })
        .collect()
}

fn account_key(id: &AccountId) -> Vec<Value> {
    params![id.bucket().number(), id.stored()]
}

impl Store {
    pub(crate) async fn insert_account_row(&self, new: &NewAccount, at: i64) -> Result<()> {
        let inserting = self.db.write_with((new.clone(), at), |tx, (new, at)| {
            Box::pin(write_all(tx, vec![accounts::open(new, *at)]))
        });
        Ok(inserting.await?)
    }

    pub(crate) async fn find_account_row(&self, id: AccountId) -> Result<Option<Account>> {
        let row = self.db.query_opt(&FIND_ACCOUNT, account_key(&id)).await?;
        Ok(row.map(|row| account(id, row)).transpose()?)
    }

    pub(crate) async fn list_transfer_rows(&self, of: AccountId, page: &Page) -> Result<Vec<Transfer>> {
        let Some(row) = self.db.query_opt(&FIND_ACCOUNT, account_key(&of)).await? else {
            return Ok(Vec::new());
        };
        let house = house_kind(of, currency(&row, 3)?).is_some();
        let asked = (of, page.clone(), house);
        let listing = self.db.read_with(&asked, |tx, (of, page, house)| {
            Box::pin(async move {
                match house {
                    false => list_transfers(tx, *of, page).await,
                    true => list_house_transfers(tx, *of, page).await,
                }
            })
        });
        Ok(listing.await?)
    }

    pub(crate) async fn move_between(
        &self,
        transfer: Transfer,
        idempotency: Idempotency,
    ) -> Result<Result<Transfer, MoveRefusal>> {
        let moving = (transfer, idempotency);
        idempotency::again_when_taken(|| {
            let moving = moving.clone();
            self.db
                .write_with(moving, |tx, moving| Box::pin(move_once(tx, &moving.0, &moving.1)))
        })
        .await
    }
}

/// Where a transfer stands in its account's list: what a payment moved at once at the payment's id, all else at its own.
fn list_key(transfer: &Transfer) -> String {
    let at_once = transfer.kind == TransferKind::Payment && transfer.phase == Phase::Posted;
    let payment = transfer.payment.filter(|_| at_once);
    payment.map_or_else(|| transfer.id.stored(), PaymentId::stored)
}

async fn list_transfers(tx: &mut Tx, of: AccountId, page: &Page) -> Result<Vec<Transfer>, DbError> {
    let bucket = of.bucket().number();
    let mut after = LAST_ID.to_owned();
    if let Some(last) = &page.after {
        let row = tx.query_opt(&FIND_TRANSFER, params![bucket, last.as_str()]).await?;
        after = row.map_or_else(|| Ok(last.clone()), |row| transfer(&row).map(|last| list_key(&last)))?;
    }
    let calls = [&DEBITS, &CREDITS, &PAID, &PAID_BY_PERSON].map(|statement| {
        let parameters = params![bucket, of.stored(), after.as_str(), page.limit];
        Call::one(statement, parameters)
    });
    let found = tx.query_all(calls.into()).await?;
    let found = found.into_iter().flatten().flatten();
    let mut transfers: Vec<Transfer> = found.map(|row| transfer(&row)).collect::<Result<_, _>>()?;
    transfers.sort_by_cached_key(|transfer| Reverse(list_key(transfer)));
    transfers.truncate(page.limit as usize);
    Ok(transfers)
}

async fn list_house_transfers(tx: &mut Tx, of: AccountId, page: &Page) -> Result<Vec<Transfer>, DbError> {
    let after = page.after.as_deref().unwrap_or(LAST_ID);
    let parameters = params![of.bucket().number(), after, of.stored(), page.limit];
    let rows = tx.query(&LIST_HOUSE_TRANSFERS, parameters).await?;
    rows.iter().map(transfer).collect()
}

/// The order of the checks is that of [`MoveRefusal`].
async fn move_once(
    tx: &mut Tx,
    wanted: &Transfer,
    idempotency: &Idempotency,
) -> Result<Result<Transfer, MoveRefusal>, DbError> {
    let accounts = lock_accounts(tx, &BTreeSet::from([wanted.debit, wanted.credit])).await?;
    let home = wanted.id.bucket();
    match idempotency::find(tx, idempotency, home).await? {
        None => {}
        Some(Earlier::Same { subject }) => {
            let earlier = tx.query_one(&FIND_TRANSFER, params![home.number(), subject]).await?;
            return Ok(Ok(transfer(&earlier)?));
        }
        Some(Earlier::Other) => return Ok(Err(MoveRefusal::KeyConflict)),
    }
    if let Err(refusal) = check_move(wanted, &accounts) {
        return Ok(Err(refusal));
    }
    // From here on the move must succeed.
    keep_house_accounts(tx, wanted).await?;
    let mut postings = Postings::default();
    postings.add(wanted.clone(), 0);
    let mut writes = postings.writes();
    writes.push(idempotency::write(
        idempotency,
        home,
        wanted.id.stored(),
        wanted.created_at,
    ));
    write_all(tx, writes).await?;
    Ok(Ok(wanted.clone()))
}

/// The operator's own accounts exist from their first use on.
async fn keep_house_accounts(tx: &mut Tx, wanted: &Transfer) -> Result<(), DbError> {
    let currency = wanted.amount.currency;
    for id in BTreeSet::from([wanted.debit, wanted.credit]) {
        if let Some(kind) = house_kind(id, currency) {
            let mut parameters = house_parameters(id, kind, currency);
            parameters.push(Value::Int(wanted.created_at));
            tx.execute(&KEEP_HOUSE_ACCOUNT, parameters).await?;
        }
    }
    Ok(())
}

/// The operator's own accounts need not be there yet: they are of the right currency and pay whatever is asked.
fn check_move(wanted: &Transfer, accounts: &[Account]) -> Result<(), MoveRefusal> {
    let asked = wanted.amount.currency;
    let limited = |id: AccountId| match house_kind(id, asked) {
        Some(_) => Ok(None),
        None => {
            let found = accounts.iter().find(|account| account.id == id);
            found.map(Some).ok_or(MoveRefusal::Unknown)
        }
    };
    let (debit, credit) = (limited(wanted.debit)?, limited(wanted.credit)?);
    let home = wanted.id.bucket();
    if wanted.debit.bucket() != home || wanted.credit.bucket() != home {
        return Err(MoveRefusal::NotTogether);
    }
    let other = [debit, credit]
        .into_iter()
        .flatten()
        .find(|account| account.currency != asked);
    if let Some(account) = other {
        let account = account.currency;
        return Err(MoveRefusal::CurrencyMismatch { account, asked });
    }
    match debit.filter(|account| !account.can_pay(wanted.amount.minor)) {
        None => Ok(()),
        Some(account) => {
            let available = Money::new(account.available_minor(), asked);
            Err(MoveRefusal::InsufficientFunds { available })
        }
    }
}
