-- Credit notes of bills, where no later bill follows that could credit a refund; and bills on their way by e-mail. Row R09.
-- A credit note is a bill without rides that names the bill it corrects.

-- SQLite cannot change a check, so the table is written anew.
create table ride_bills_new (
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
    corrects text,
    primary key (bucket, id),
    check (credited_minor >= 0 and (corrects is not null or credited_minor <= charged_minor)),
    check (corrects is null or rides = 0),
    check (from_at < until_at)
) strict, without rowid;
insert into ride_bills_new select bucket, id, institution_id, merchant_id, currency, period, first_on, until_on, from_at, until_at, issue, state,
    expected_rides, rides, charged_minor, credits, credited_minor, closed_at, issued_on, setup_version, profile_id, number,
    issued_at, problem, attempts, next_at, created_at, changed_at, null
    from ride_bills;
drop table ride_bills;
alter table ride_bills_new rename to ride_bills;
create unique index ride_bills_period on ride_bills
    (bucket, institution_id, merchant_id, currency, from_at, until_at) where corrects is null;
create index ride_bills_of_institution on ride_bills (bucket, institution_id, id);
-- For the work on bills over all buckets.
create index ride_bills_due on ride_bills (next_at) where next_at is not null;
create index ride_bills_notes on ride_bills (bucket, corrects, id) where corrects is not null;
-- Whoever asks twice at once gets one credit note.
create unique index ride_bills_open_note on ride_bills (bucket, corrects) where corrects is not null and state = 'closing';

-- The bill's document on its way to the institution; sending it again begins anew.
create table ride_bill_mails (
    bucket integer not null,
    bill_id text not null,
    id text not null,
    address text not null,
    state text not null check (state in ('waiting', 'delivered', 'failed')),
    attempts integer not null,
    next_at integer,
    problem text,
    created_at integer not null,
    delivered_at integer,
    primary key (bucket, bill_id)
) strict, without rowid;
create index ride_bill_mails_due on ride_bill_mails (next_at) where next_at is not null;

-- As in 0001: plans are those of a large installation from the first row on.
delete from sqlite_stat1 where tbl in ('ride_bills', 'ride_bill_mails');
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
where tables.type = 'table' and tables.name in ('ride_bills', 'ride_bill_mails');
analyze sqlite_schema;
