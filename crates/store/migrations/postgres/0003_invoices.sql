-- Invoices that are issued here: the merchants' tax set-ups, applications and their lines, numbers, documents, deliveries,
-- and the work between them. Applications lie in the payment's bucket; set-ups, numbers and documents in the merchant's.

-- Of the newest set-up; null: there is none.
alter table merchants add column invoicing text check (invoicing in ('own', 'on_request', 'automatic'));
alter table merchants add column tax_version bigint;

-- A version never changes; the newest counts for new invoices.
create table tax_setups (
    bucket smallint not null,
    merchant_id text not null,
    version bigint not null,
    legal_name text not null,
    street text not null,
    city text not null,
    postcode text not null,
    country text not null,
    vat_id text,
    tax_number text,
    credit_code text,
    email text,
    phone text,
    prefix text not null,
    credit_prefix text not null,
    with_year smallint not null check (with_year in (0, 1)),
    width smallint not null,
    language text not null,
    iban text,
    bic text,
    account_holder text,
    mode text not null check (mode in ('own', 'on_request', 'automatic')),
    logo bytea,
    entered_by text not null,
    entered_at bigint not null,
    primary key (bucket, merchant_id, version)
);

create table tax_rates (
    bucket smallint not null,
    merchant_id text not null,
    version bigint not null,
    -- The first is the default.
    position smallint not null,
    name text not null,
    category text not null,
    percent text not null,
    reason text,
    reason_code text,
    primary key (bucket, merchant_id, version, position),
    foreign key (bucket, merchant_id, version) references tax_setups (bucket, merchant_id, version)
);

-- What payments have of invoices, as applications now; the old rows were reports of merchants' own systems.
drop index invoices_payment;
alter table invoices rename to invoice_reports;
create table invoices (
    bucket smallint not null,
    id text not null,
    kind text not null check (kind in ('invoice', 'credit_note')),
    original_id text,
    refund_id text,
    origin text not null check (origin in ('reported', 'platform')),
    state text not null
        check (state in ('waiting', 'applied', 'issuing', 'issued', 'credited', 'failed', 'withdrawn')),
    payment_id text not null,
    merchant_id text not null,
    person_id text not null,
    record_id text not null,
    member_id text,
    scenario_id text,
    order_number text not null,
    subject text,
    profile_id text,
    buyer_kind text,
    buyer_title text,
    buyer_tax_number text,
    buyer_address text,
    buyer_telephone text,
    buyer_bank_name text,
    buyer_bank_account text,
    buyer_email text,
    buyer_vat_id text,
    buyer_postcode text,
    buyer_city text,
    buyer_country text,
    buyer_electronic_address text,
    buyer_reference text,
    seller_name text not null,
    setup_version bigint not null,
    language text not null,
    amount_minor bigint not null check (amount_minor >= 0),
    currency text not null,
    credited_minor bigint not null,
    -- Stored refund ids, separated by spaces.
    refunds_before text not null,
    number text,
    issued_on text,
    issued_at bigint not null,
    applied_at bigint not null,
    attempts bigint not null,
    problem text,
    red_state text,
    red_until bigint,
    -- Number, order number, seller and buyer in small letters, for searching.
    search text not null,
    primary key (bucket, id),
    check (credited_minor between 0 and amount_minor),
    check ((kind = 'credit_note') = (original_id is not null))
);
insert into invoices
    select r.bucket, r.id, 'invoice', null, null, 'reported', 'issued', r.payment_id, p.merchant_id, p.person_id,
        p.record_id, p.member_id, p.scenario_id, p.order_number, p.subject, r.profile_id, null, null, null, null, null,
        null, null, null, null, null, null, null, null, null, '', 0, 'en', p.amount_minor, p.currency, 0, '', r.number, null, r.issued_at, r.issued_at, 0,
        null, null, null, lower(coalesce(r.number, '') || ' ' || p.order_number)
    from invoice_reports r join payments p on p.bucket = r.bucket and p.id = r.payment_id;
drop table invoice_reports;
-- A payment is in at most one invoice; a refund or the reversal makes at most one credit note.
create unique index invoices_payment on invoices (bucket, payment_id) where kind = 'invoice';
create unique index invoices_refund on invoices (bucket, payment_id, refund_id) where kind = 'credit_note';
create index invoices_of_person on invoices (bucket, person_id, id);
create index invoices_of_record on invoices (bucket, record_id, id);
-- A merchant's invoices lie in its customers' buckets.
create index invoices_of_merchant on invoices (merchant_id, id);

-- Lines as the till sent them; without any the invoice has one line.
create table invoice_lines (
    bucket smallint not null,
    invoice_id text not null,
    position smallint not null,
    name text not null,
    quantity text not null,
    unit text not null,
    price text not null,
    -- Article group; null: the first.
    rate text,
    primary key (bucket, invoice_id, position),
    foreign key (bucket, invoice_id) references invoices (bucket, id)
);

-- Who issues here: gap-free running numbers of each series, and the documents that have them.
create table document_series (
    bucket smallint not null,
    merchant_id text not null,
    series text not null,
    last_number bigint not null,
    primary key (bucket, merchant_id, series)
);

create table documents (
    bucket smallint not null,
    merchant_id text not null,
    document_key text not null,
    fingerprint text not null,
    series text not null,
    running bigint not null,
    number text not null,
    original_key text,
    issued_on text not null,
    issued_at bigint not null,
    gross_minor bigint not null,
    currency text not null,
    primary key (bucket, merchant_id, document_key)
);
create unique index documents_number on documents (bucket, merchant_id, number);
create unique index documents_running on documents (bucket, merchant_id, series, running);
create index documents_of_original on documents (bucket, merchant_id, original_key);

-- The content lies in the document store under its hash.
create table document_files (
    bucket smallint not null,
    merchant_id text not null,
    document_key text not null,
    format text not null,
    sha256 text not null,
    bytes bigint not null,
    primary key (bucket, merchant_id, document_key, format),
    foreign key (bucket, merchant_id, document_key) references documents (bucket, merchant_id, document_key)
);

create table deliveries (
    bucket smallint not null,
    id text not null,
    invoice_id text not null,
    channel text not null check (channel in ('inbox', 'email', 'merchant')),
    address text,
    state text not null check (state in ('waiting', 'delivered', 'failed')),
    created_at bigint not null,
    delivered_at bigint,
    next_at bigint,
    primary key (bucket, id),
    foreign key (bucket, invoice_id) references invoices (bucket, id)
);
create index deliveries_of_invoice on deliveries (bucket, invoice_id, id);

create table delivery_attempts (
    bucket smallint not null,
    delivery_id text not null,
    number bigint not null,
    tried_at bigint not null,
    -- Null: it arrived.
    problem text,
    primary key (bucket, delivery_id, number),
    foreign key (bucket, delivery_id) references deliveries (bucket, id)
);

-- Work that follows a commit outside the database. Taken with a lease: whoever takes a row puts `next_at` off and counts
-- `attempts`, and removes it only under that count.
create table invoice_tasks (
    bucket smallint not null,
    id text not null,
    kind text not null check (kind in ('apply', 'issue', 'credit', 'deliver', 'red_letter')),
    subject_id text not null,
    -- A refund's id, or empty.
    cause_id text not null,
    attempts bigint not null,
    next_at bigint not null,
    created_at bigint not null,
    primary key (bucket, id)
);
create unique index invoice_tasks_subject on invoice_tasks (bucket, kind, subject_id, cause_id);
create index invoice_tasks_due on invoice_tasks (next_at, bucket, id);
