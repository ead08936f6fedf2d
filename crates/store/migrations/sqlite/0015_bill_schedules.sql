-- Which periods are closed by themselves: for an institution, and otherwise for one of its providers. Row R09.
-- What is due is found by its instant.

create table ride_bill_schedules_new (
    bucket integer not null,
    institution_id text not null,
    -- Empty: every provider that has no row of its own.
    merchant_id text not null,
    -- 'own': by hand only.
    period text not null,
    issue text not null,
    grace_hours integer not null check (grace_hours >= 0),
    -- The last period's end up to which everything was closed.
    closed_until integer not null,
    -- When the next period is closed; null: by hand only.
    due_at integer,
    changed_at integer not null,
    primary key (bucket, institution_id, merchant_id)
) strict, without rowid;
-- Due at once: the first look finds out when.
insert into ride_bill_schedules_new
    select bucket, institution_id, '', period, issue, grace_hours, closed_until, 0, changed_at from ride_bill_schedules;
drop table ride_bill_schedules;
alter table ride_bill_schedules_new rename to ride_bill_schedules;
create index ride_bill_schedules_due on ride_bill_schedules (due_at) where due_at is not null;

-- As in 0001: plans are those of a large installation from the first row on.
delete from sqlite_stat1 where tbl in ('ride_bill_schedules');
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
where tables.type = 'table' and tables.name in ('ride_bill_schedules');
analyze sqlite_schema;
