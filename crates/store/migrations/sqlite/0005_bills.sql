-- Bills of a period: every ride an institution paid with one provider, in exactly one of them. Row R09.
-- A bill lies in its institution's bucket, as its rides do; the provider's list of bills in the provider's.

-- Which bill a ride is in stands with the ride, once. Filled together with the bill: what was refunded before (not charged),
-- and what was refunded later and credited in later bills.
alter table ride_orders add column bill_id text;
alter table ride_orders add column netted_minor integer;
alter table ride_orders add column credited_minor integer;
-- The institution's share of refunded_minor, never null from now on. The person's part is given back first.
alter table ride_orders add column institution_refunded_minor integer;
update ride_orders set institution_refunded_minor = case
    when institution_payment_id is null or institution_refusal is not null then 0
    when personal_payment_id is null or personal_refusal is not null then refunded_minor
    when refunded_minor > personal_minor then refunded_minor - personal_minor
    else 0 end;
create index ride_orders_unbilled on ride_orders (bucket, institution_id, merchant_id, currency, start_at)
    where bill_id is null and institution_payment_id is not null and institution_refusal is null;
create index ride_orders_of_bill on ride_orders (bucket, bill_id, id) where bill_id is not null;
create index ride_orders_to_credit on ride_orders (bucket, institution_id, merchant_id, currency, id)
    where bill_id is not null and institution_refunded_minor > netted_minor + credited_minor;

create table ride_bills (
    bucket integer not null,
    id text not null,
    institution_id text not null,
    merchant_id text not null,
    currency text not null,
    period text not null,
    first_on text not null,
    until_on text not null,
    from_at integer not null,
    until_at integer not null,
    issue text not null,
    state text not null,
    expected_rides integer not null,
    rides integer not null,
    charged_minor integer not null check (charged_minor >= 0),
    credits integer not null,
    credited_minor integer not null,
    closed_at integer,
    -- What the document is made of.
    issued_on text,
    setup_version integer,
    profile_id text,
    number text,
    issued_at integer,
    problem text,
    attempts integer not null,
    -- When its work goes on; null: there is none.
    next_at integer,
    created_at integer not null,
    changed_at integer not null,
    primary key (bucket, id),
    check (credited_minor between 0 and charged_minor),
    check (from_at < until_at)
) strict, without rowid;
create unique index ride_bills_period on ride_bills
    (bucket, institution_id, merchant_id, currency, from_at, until_at);
create index ride_bills_of_institution on ride_bills (bucket, institution_id, id);
-- For the work on bills over all buckets.
create index ride_bills_due on ride_bills (next_at) where next_at is not null;

create table ride_bill_credits (
    bucket integer not null,
    bill_id text not null,
    order_id text not null,
    amount_minor integer not null check (amount_minor > 0),
    primary key (bucket, bill_id, order_id)
) strict, without rowid;

create table ride_provider_bills (
    bucket integer not null,
    merchant_id text not null,
    bill_id text not null,
    primary key (bucket, merchant_id, bill_id)
) strict, without rowid;

-- Which periods an institution wants closed by themselves.
create table ride_bill_schedules (
    bucket integer not null,
    institution_id text not null,
    period text not null,
    issue text not null,
    grace_hours integer not null check (grace_hours >= 0),
    -- The last period's end up to which everything was closed.
    closed_until integer not null,
    changed_at integer not null,
    primary key (bucket, institution_id)
) strict, without rowid;

-- As in 0001: plans are those of a large installation from the first row on.
insert into sqlite_stat1 (tbl, idx, stat)
select tables.name, case when indexes.origin = 'pk' and listed.wr = 1 then tables.name else indexes.name end,
    case (select count(*) from pragma_index_info(indexes.name))
        when 1 then '1000000 1'
        when 2 then '1000000 10000 1'
        when 3 then '1000000 10000 100 1'
        when 4 then '1000000 10000 100 10 1'
        else '1000000 10000 100 100 10 1'
    end
from sqlite_schema tables join pragma_index_list(tables.name) indexes join pragma_table_list(tables.name) listed
where tables.type = 'table' and (tables.name in ('ride_bills', 'ride_bill_credits', 'ride_provider_bills', 'ride_bill_schedules')
    or indexes.name in ('ride_orders_unbilled', 'ride_orders_of_bill', 'ride_orders_to_credit'));
analyze sqlite_schema;
