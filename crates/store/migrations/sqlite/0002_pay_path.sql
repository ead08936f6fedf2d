-- The pay path writes fewer trees: work that waits, callers' keys and order numbers lie in their primary key. Each was a
-- table in the order of insertion and an index beside it that every payment wrote as well.

create table new_outbox (
    bucket integer not null,
    id text not null,
    kind text not null,
    subject_id text not null,
    attempts integer not null,
    next_at integer not null,
    created_at integer not null,
    primary key (bucket, id)
) strict, without rowid;
insert into new_outbox select bucket, id, kind, subject_id, attempts, next_at, created_at from outbox;
drop table outbox;
alter table new_outbox rename to outbox;
create index outbox_due on outbox (next_at, bucket, id);

create table new_idempotency_keys (
    bucket integer not null,
    caller text not null,
    key text not null,
    fingerprint text not null,
    subject_id text not null,
    created_at integer not null,
    primary key (bucket, caller, key)
) strict, without rowid;
insert into new_idempotency_keys select bucket, caller, key, fingerprint, subject_id, created_at from idempotency_keys;
drop table idempotency_keys;
alter table new_idempotency_keys rename to idempotency_keys;

create table new_merchant_orders (
    bucket integer not null,
    merchant_id text not null,
    order_number text not null,
    payment_id text not null,
    fingerprint text not null,
    primary key (bucket, merchant_id, order_number)
) strict, without rowid;
insert into new_merchant_orders select bucket, merchant_id, order_number, payment_id, fingerprint from merchant_orders;
drop table merchant_orders;
alter table new_merchant_orders rename to merchant_orders;

-- Numbers of a large installation, as in the foundation.
delete from sqlite_stat1 where tbl in ('outbox', 'idempotency_keys', 'merchant_orders');
insert into sqlite_stat1 (tbl, idx, stat) values
    ('outbox', 'outbox', '1000000 10000 1'),
    ('outbox', 'outbox_due', '1000000 10000 100 1'),
    ('idempotency_keys', 'idempotency_keys', '1000000 10000 100 1'),
    ('merchant_orders', 'merchant_orders', '1000000 10000 100 1');
analyze sqlite_schema;
