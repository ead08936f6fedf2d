-- Taps become rides, rides become orders: transit feeds and set-up of ride providers, rides as their taps were matched, and
-- the devices whose taps are still to be looked at. All in the provider's bucket.

-- A feed as its provider gave it; never changed. One is in use.
create table ride_feeds (
    bucket integer not null,
    id text not null,
    provider_id text not null,
    name text not null,
    stops integer not null,
    lines integer not null,
    trips integer not null,
    fares integer not null,
    -- SHA-256 of the content, hexadecimal.
    hash text not null,
    -- A zip archive of the files that are read.
    content blob not null,
    active integer not null check (active in (0, 1)),
    created_at integer not null,
    primary key (bucket, id),
    foreign key (bucket, provider_id) references merchants (bucket, id)
) strict, without rowid;
create index ride_feeds_of_provider on ride_feeds (bucket, provider_id, id);
create unique index ride_feeds_in_use on ride_feeds (bucket, provider_id) where active = 1;
-- For lists of stops over all buckets.
create index ride_feeds_active on ride_feeds (id) where active = 1;

create table ride_setups (
    bucket integer not null,
    provider_id text not null,
    travel_type text not null,
    city text not null,
    single_minor integer,
    single_currency text,
    maximum_minor integer,
    maximum_currency text,
    journey_max_ms integer not null,
    late_ms integer not null,
    changed_at integer not null,
    primary key (bucket, provider_id),
    foreign key (bucket, provider_id) references merchants (bucket, id),
    check ((single_minor is null) = (single_currency is null)),
    check ((maximum_minor is null) = (maximum_currency is null))
) strict, without rowid;

-- One ride; its id is that of the tap it begins with as far as is known.
create table tap_rides (
    bucket integer not null,
    id text not null,
    provider_id text not null,
    device_id text not null,
    person_id text not null,
    journey text not null check (journey in ('open', 'complete', 'single', 'no-exit', 'no-entry')),
    -- The device's counters of its first and last tap.
    first_counter integer not null,
    last_counter integer not null,
    start_tap text,
    start_gate text,
    start_station text,
    start_at integer,
    start_fault text,
    end_tap text,
    end_gate text,
    end_station text,
    end_at integer,
    end_fault text,
    -- Taps that only repeat another, ids separated by spaces.
    repeats text not null,
    code_seen_twice integer not null check (code_seen_twice in (0, 1)),
    state text not null,
    -- The tap whose id is the order's number; stays when the ride is matched anew.
    number_tap text not null,
    -- Orders of this number that were too cheap and given back; the number tells how many.
    attempt integer not null,
    fare_minor integer,
    fare_currency text,
    line text not null,
    consultation_id text,
    order_id text,
    -- Where its taps belong to another ride now: that ride.
    into_id text,
    problem text,
    created_at integer not null,
    changed_at integer not null,
    primary key (bucket, id)
) strict, without rowid;
create index tap_rides_of_device on tap_rides (bucket, provider_id, device_id, last_counter);
create index tap_rides_of_provider on tap_rides (bucket, provider_id, id);
create index tap_rides_in_state on tap_rides (bucket, provider_id, state, id);
-- What a person's page shows besides orders, over all providers.
create index tap_rides_under_way on tap_rides (person_id, id) where order_id is null;

-- Devices whose taps are to be matched: new ones came, or a time limit runs.
create table tap_work (
    bucket integer not null,
    provider_id text not null,
    device_id text not null,
    -- Taps of lower counters are matched for good.
    from_counter integer not null,
    due_at integer not null,
    -- Counts up with every change, so that whoever works on it sees that more came.
    version integer not null,
    primary key (bucket, provider_id, device_id)
) strict, without rowid;
create index tap_work_due on tap_work (due_at);

create index ride_taps_of_device on ride_taps (bucket, provider_id, device_id, counter) where device_id is not null;

-- As in the foundation: numbers of a large installation, so that plans are the same from the first row on.
delete from sqlite_stat1 where tbl in ('ride_feeds', 'ride_setups', 'tap_rides', 'tap_work', 'ride_taps');
insert into sqlite_stat1 (tbl, idx, stat)
select tables.name, case when indexes.origin = 'pk' and listed.wr = 1 then tables.name else indexes.name end,
    case (select count(*) from pragma_index_info(indexes.name))
        when 1 then '1000000 1'
        when 2 then '1000000 10000 1'
        when 3 then '1000000 10000 100 1'
        else '1000000 10000 100 10 1'
    end
from sqlite_schema tables join pragma_index_list(tables.name) indexes join pragma_table_list(tables.name) listed
where tables.type = 'table' and tables.name in ('ride_feeds', 'ride_setups', 'tap_rides', 'tap_work', 'ride_taps');
analyze sqlite_schema;
