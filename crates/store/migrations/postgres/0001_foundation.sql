-- The foundation: people, institutions, merchants, codes, profiles, payments, ledger.
-- Every tenant table has `bucket` first in its primary key, unique indexes and foreign keys. Ids are 26 letters,
-- instants are milliseconds since 1970, money is minor units.

create table settings (
    name text not null primary key,
    value text not null
);

create table people (
    bucket smallint not null,
    id text not null,
    login text not null,
    name text not null,
    identity_kind text not null,
    identity_number text not null,
    email text,
    language text not null,
    currency text not null,
    time_zone text not null,
    account_id text not null,
    created_at bigint not null,
    primary key (bucket, id)
);
create unique index people_identity on people (bucket, identity_kind, identity_number);

-- A sign-in name lies in the bucket that its own hash leads to.
create table logins (
    bucket smallint not null,
    login text not null,
    person_id text not null,
    password_hash text not null,
    primary key (bucket, login)
);

create table consents (
    bucket smallint not null,
    id text not null,
    person_id text not null,
    purpose text not null,
    -- One a line.
    fields text not null,
    given_at bigint not null,
    withdrawn_at bigint,
    primary key (bucket, id),
    foreign key (bucket, person_id) references people (bucket, id)
);
create index consents_of_person on consents (bucket, person_id, id);

-- The person's side of being a member; the other side is in `members`.
create table memberships (
    bucket smallint not null,
    person_id text not null,
    institution_id text not null,
    member_id text not null,
    primary key (bucket, person_id, institution_id)
);

create table institutions (
    bucket smallint not null,
    id text not null,
    parent_id text,
    name text not null,
    currency text not null,
    time_zone text not null,
    account_id text not null,
    created_at bigint not null,
    primary key (bucket, id),
    foreign key (bucket, parent_id) references institutions (bucket, id)
);
create index institutions_of_parent on institutions (bucket, parent_id, id);

create table departments (
    bucket smallint not null,
    id text not null,
    institution_id text not null,
    name text not null,
    -- The name in small letters, for searching.
    search text not null,
    primary key (bucket, id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
);
create unique index departments_name on departments (bucket, institution_id, name);

create table members (
    bucket smallint not null,
    id text not null,
    institution_id text not null,
    person_id text not null,
    name text not null,
    employee_number text,
    department_id text,
    role text not null check (role in ('employee', 'administrator')),
    state text not null check (state in ('active', 'left')),
    account_id text,
    created_at bigint not null,
    -- Name and employee number in small letters, for searching.
    search text not null,
    primary key (bucket, id),
    foreign key (bucket, institution_id) references institutions (bucket, id),
    foreign key (bucket, department_id) references departments (bucket, id)
);
create index members_of_institution on members (bucket, institution_id, id);
create unique index members_person on members (bucket, institution_id, person_id);
create unique index members_employee_number on members (bucket, institution_id, employee_number);

create table merchants (
    bucket smallint not null,
    id text not null,
    name text not null,
    category smallint not null,
    currency text not null,
    account_id text not null,
    created_at bigint not null,
    primary key (bucket, id)
);

create table stores (
    bucket smallint not null,
    id text not null,
    merchant_id text not null,
    name text not null,
    category smallint,
    city text not null,
    primary key (bucket, id),
    foreign key (bucket, merchant_id) references merchants (bucket, id)
);
create index stores_of_merchant on stores (bucket, merchant_id, id);

create table terminals (
    bucket smallint not null,
    id text not null,
    merchant_id text not null,
    store_id text not null,
    name text not null,
    role text not null check (role in ('cashier', 'invoice')),
    trust text not null check (trust in ('full', 'limited')),
    may_assert_paid smallint not null check (may_assert_paid in (0, 1)),
    created_at bigint not null,
    primary key (bucket, id),
    foreign key (bucket, merchant_id) references merchants (bucket, id),
    foreign key (bucket, store_id) references stores (bucket, id)
);
create index terminals_of_merchant on terminals (bucket, merchant_id, id);

create table terminal_guards (
    bucket smallint not null,
    terminal_id text not null,
    streak bigint not null,
    hour bigint not null,
    hour_count bigint not null,
    locked_until bigint not null,
    primary key (bucket, terminal_id)
);

create table access_keys (
    bucket smallint not null,
    id text not null,
    kind text not null check (kind in ('terminal', 'institution', 'merchant', 'operator')),
    holder_id text not null,
    name text not null,
    secret_hash text not null,
    created_at bigint not null,
    revoked_at bigint,
    primary key (bucket, id)
);
create index access_keys_of_holder on access_keys (bucket, kind, holder_id, id);

create table sessions (
    bucket smallint not null,
    id text not null,
    kind text not null check (kind in ('person', 'terminal')),
    person_id text,
    key_id text,
    terminal_id text,
    secret_hash text not null,
    agent text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (bucket, id)
);
create index sessions_of_person on sessions (bucket, person_id, id);
-- For removing the sessions of all buckets whose time is over.
create index sessions_expiry on sessions (expires_at);

create table code_records (
    bucket smallint not null,
    id text not null,
    kind text not null check (kind in ('user', 'institution')),
    -- The person or the institution.
    holder_id text not null,
    identity_kind text,
    identity_number text,
    member_access text check (member_access in ('through_institution', 'assigned')),
    account_id text not null,
    currency text not null,
    time_zone text not null,
    state text not null check (state in ('active', 'paused', 'closed')),
    created_at bigint not null,
    primary key (bucket, id),
    check ((kind = 'user') = (identity_number is not null)),
    check ((kind = 'institution') = (member_access is not null))
);
create unique index code_records_holder on code_records (bucket, kind, holder_id);

create table record_members (
    bucket smallint not null,
    record_id text not null,
    member_id text not null,
    primary key (bucket, record_id, member_id)
);

create table scenarios (
    bucket smallint not null,
    record_id text not null,
    id text not null,
    name text not null,
    categories text not null,
    policy text not null,
    created_at bigint not null,
    primary key (bucket, record_id, id)
);

-- A code never changes after it is made; rows lie in time order. The digits themselves are not here.
create table codes (
    bucket smallint not null,
    slot bigint not null,
    mac bytea not null,
    id text not null,
    record_id text not null,
    person_id text not null,
    member_id text,
    device text not null,
    address text not null,
    location text,
    created_at bigint not null,
    pay_until bigint not null,
    primary key (bucket, slot, mac)
);

-- The two codes of a device that may still be paid with.
create table code_devices (
    bucket smallint not null,
    record_id text not null,
    person_id text not null,
    device text not null,
    latest_id text not null,
    previous_id text,
    primary key (bucket, record_id, person_id, device)
);

create table profiles (
    bucket smallint not null,
    record_id text not null,
    id text not null,
    title_kind text not null check (title_kind in ('personal', 'company')),
    title text not null,
    tax_number text,
    address text,
    telephone text,
    bank_name text,
    bank_account text,
    email text,
    -- Stored scenario ids, separated by spaces; empty: any.
    scenarios text not null,
    preferred smallint not null check (preferred in (0, 1)),
    created_at bigint not null,
    removed_at bigint,
    primary key (bucket, record_id, id)
);
create unique index profiles_id on profiles (bucket, id);

create table profile_choices (
    bucket smallint not null,
    id text not null,
    payment_id text not null,
    record_id text not null,
    person_id text not null,
    -- Stored profile ids, separated by spaces; the first is the default.
    candidates text not null,
    until_at bigint not null,
    chosen_id text,
    primary key (bucket, id)
);
create unique index choices_payment on profile_choices (bucket, payment_id);
create index choices_of_person on profile_choices (bucket, person_id, until_at);

-- Balances are a cache: they must equal the transfers.
create table accounts (
    bucket smallint not null,
    id text not null,
    kind text not null,
    owner_id text not null,
    name text not null,
    currency text not null,
    posted_minor bigint not null,
    held_minor bigint not null check (held_minor >= 0),
    -- Of a person's own account: where the chain of its payments begins.
    latest_payment_id text,
    created_at bigint not null,
    primary key (bucket, id),
    constraint accounts_floor check (kind not in ('person', 'institution', 'sub_institution', 'member') or posted_minor >= held_minor)
);
create index accounts_of_owner on accounts (bucket, owner_id, id);

-- One debit, one credit, one positive amount; never changed, never deleted.
create table transfers (
    bucket smallint not null,
    id text not null,
    debit_id text not null,
    credit_id text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    kind text not null,
    phase text not null check (phase in ('posted', 'pending', 'posts', 'voids', 'expires')),
    pending_id text,
    until_at bigint,
    payment_id text,
    corrects_id text,
    created_at bigint not null,
    primary key (bucket, id),
    check (debit_id <> credit_id),
    check ((phase in ('posts', 'voids', 'expires')) = (pending_id is not null)),
    check ((phase = 'pending') = (until_at is not null))
);
-- A pending transfer is resolved at most once.
create unique index transfers_resolution on transfers (bucket, pending_id) where pending_id is not null;
-- What a payment moved at once is found through its payment; of the other kinds one side is the operator's.
create index transfers_of_debit on transfers (bucket, debit_id, id)
    where kind = 'allotment' or kind = 'correction' or kind = 'merchant_refund' or phase <> 'posted';
create index transfers_of_credit on transfers (bucket, credit_id, id) where kind not in ('payment', 'merchant_refund');

create table payments (
    bucket smallint not null,
    id text not null,
    code_id text,
    -- Of a person's own account: its payment before this one. A list follows this chain, so that paying writes into no
    -- index that lies in the order of accounts.
    previous_id text,
    record_id text not null,
    kind text not null check (kind in ('user', 'institution')),
    person_id text not null,
    member_id text,
    account_id text not null,
    merchant_id text not null,
    store_id text not null,
    terminal_id text not null,
    order_number text not null,
    scenario_id text,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    subject text,
    state text not null check (state in ('authorised', 'paid', 'paid_elsewhere', 'refused', 'voided', 'expired', 'reversed')),
    state_at bigint not null,
    transfer_id text,
    hold_until bigint,
    means text,
    reference text,
    refusal text,
    refunded_minor bigint not null,
    local_day bigint not null,
    local_month bigint not null,
    created_at bigint not null,
    primary key (bucket, id),
    check (refunded_minor between 0 and amount_minor),
    check ((state = 'authorised') = (hold_until is not null)),
    check ((state = 'refused') = (refusal is not null)),
    check ((state = 'paid_elsewhere') = (means is not null))
);
-- Whether a code was used is decided here and nowhere else.
create unique index payments_code on payments (bucket, code_id) where code_id is not null;
create index payments_of_account on payments (bucket, account_id, id) where kind = 'institution';
create index payments_of_member on payments (bucket, person_id, id) where kind = 'institution';
create index payments_of_institution on payments (bucket, record_id, id) where kind = 'institution';
create index payments_held on payments (bucket, hold_until) where state = 'authorised';

create table refunds (
    bucket smallint not null,
    id text not null,
    payment_id text not null,
    number text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    reason text,
    transfer_id text not null,
    created_at bigint not null,
    primary key (bucket, id)
);
create unique index refunds_number on refunds (bucket, payment_id, number);

-- The merchant's order number, in the merchant's bucket: which payment has it.
create table merchant_orders (
    bucket smallint not null,
    merchant_id text not null,
    order_number text not null,
    payment_id text not null,
    fingerprint text not null,
    primary key (bucket, merchant_id, order_number)
);

-- A caller's key: which request it stood for and what came of it.
create table idempotency_keys (
    bucket smallint not null,
    caller text not null,
    key text not null,
    fingerprint text not null,
    subject_id text not null,
    created_at bigint not null,
    primary key (bucket, caller, key)
);

create table usage_counters (
    bucket smallint not null,
    record_id text not null,
    scenario_id text not null,
    person_id text not null,
    day bigint not null,
    day_minor bigint not null,
    day_count bigint not null,
    month bigint not null,
    month_minor bigint not null,
    month_count bigint not null,
    primary key (bucket, record_id, scenario_id, person_id)
);

-- The merchant's side of payments, in the merchant's bucket; written from the outbox.
create table sales (
    bucket smallint not null,
    merchant_id text not null,
    payment_id text not null,
    store_id text not null,
    terminal_id text not null,
    order_number text not null,
    amount_minor bigint not null,
    currency text not null,
    refunded_minor bigint not null,
    paid_at bigint not null,
    reversed smallint not null check (reversed in (0, 1)),
    primary key (bucket, merchant_id, payment_id)
);

create table invoices (
    bucket smallint not null,
    id text not null,
    payment_id text not null,
    profile_id text,
    number text,
    issued_at bigint not null,
    primary key (bucket, id)
);
create unique index invoices_payment on invoices (bucket, payment_id);

-- Work that follows a commit; a row is removed when it is done.
create table outbox (
    bucket smallint not null,
    id text not null,
    kind text not null,
    subject_id text not null,
    attempts bigint not null,
    next_at bigint not null,
    created_at bigint not null,
    primary key (bucket, id)
);

-- The oldest work is found without reading what rests.
create index outbox_due on outbox (next_at, bucket, id);

create table alarms (
    bucket smallint not null,
    id text not null,
    kind text not null,
    person_id text,
    terminal_id text not null,
    payment_id text,
    created_at bigint not null,
    primary key (bucket, id)
);
create index alarms_of_person on alarms (bucket, person_id, id);
