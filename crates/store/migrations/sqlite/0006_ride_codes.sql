-- Ride codes: devices and deny list of the issuer, journals of gates. A gate is a terminal of a ride provider.

create table terminals_with_gates (
    bucket integer not null,
    id text not null,
    merchant_id text not null,
    store_id text not null,
    name text not null,
    role text not null check (role in ('cashier', 'invoice', 'gate')),
    trust text not null check (trust in ('full', 'limited')),
    may_assert_paid integer not null check (may_assert_paid in (0, 1)),
    created_at integer not null,
    primary key (bucket, id),
    foreign key (bucket, merchant_id) references merchants (bucket, id),
    foreign key (bucket, store_id) references stores (bucket, id)
) strict, without rowid;
insert into terminals_with_gates
select bucket, id, merchant_id, store_id, name, role, trust, may_assert_paid, created_at from terminals;
drop table terminals;
alter table terminals_with_gates rename to terminals;
create index terminals_of_merchant on terminals (bucket, merchant_id, id);

-- What shows ride codes: its public key, and until when an entitlement of it may still be good.
create table ride_devices (
    bucket integer not null,
    id text not null,
    person_id text not null,
    name text not null,
    algorithm text not null check (algorithm in ('ed25519', 'p256')),
    public_key blob not null,
    -- Eight bytes as hexadecimal: what deny lists and codes name a device by.
    fingerprint text not null,
    entitled_until integer not null,
    created_at integer not null,
    revoked_at integer,
    primary key (bucket, id),
    foreign key (bucket, person_id) references people (bucket, id)
) strict, without rowid;
create index ride_devices_of_person on ride_devices (bucket, person_id, id);

-- A fingerprint lies in the bucket that its own hash leads to.
create table ride_device_prints (
    bucket integer not null,
    fingerprint text not null,
    device_id text not null,
    person_id text not null,
    primary key (bucket, fingerprint)
) strict, without rowid;

-- Devices whose codes gates must refuse, as long as an entitlement of theirs may be about.
create table ride_denials (
    bucket integer not null,
    device_id text not null,
    fingerprint text not null,
    reason text not null check (reason in ('revoked', 'arrears')),
    changed_at integer not null,
    lifted integer not null check (lifted in (0, 1)),
    until_at integer not null,
    primary key (bucket, device_id)
) strict, without rowid;
-- For the deny list, over all buckets.
create index ride_denials_changed on ride_denials (changed_at);
create index ride_denials_until on ride_denials (until_at);

-- One journal of a gate: a chain of records under one key. A gate that lost its folder begins another.
create table gate_journals (
    bucket integer not null,
    gate_id text not null,
    -- Of its key: eight bytes as hexadecimal.
    journal text not null,
    public_key blob not null,
    -- The highest number known, and how many are here; fewer: some are still to come.
    head integer not null,
    records integer not null,
    -- The last tap's time, in the journal's order.
    head_at integer not null,
    created_at integer not null,
    primary key (bucket, gate_id, journal),
    foreign key (bucket, gate_id) references terminals (bucket, id)
) strict, without rowid;

-- What gates have seen, accepted or not. Never changed, never deleted: an accepted passage is a fact.
create table ride_taps (
    bucket integer not null,
    id text not null,
    provider_id text not null,
    gate_id text not null,
    journal text not null,
    sequence integer not null,
    kind text not null check (kind in ('entry', 'exit', 'tap')),
    station text not null,
    at integer not null,
    received_at integer not null,
    clock_fault text check (clock_fault in ('ahead', 'back')),
    -- `accepted`, or the error's code.
    verdict text not null,
    fingerprint text,
    person_id text,
    device_id text,
    counter integer not null,
    payer text not null check (payer in ('person', 'institution')),
    rule_digest text not null,
    incomplete integer not null check (incomplete in (0, 1)),
    sound integer not null check (sound in (0, 1)),
    -- The record before it is here and its hash is not the one this record names.
    chain_broken integer not null check (chain_broken in (0, 1)),
    hash blob not null,
    -- As the gate signed it, the code inside: evidence.
    record blob not null,
    primary key (bucket, id)
) strict, without rowid;
-- A gate that was restored from a copy may say two things under one number: both are facts.
create unique index ride_taps_sequence on ride_taps (bucket, gate_id, journal, sequence, hash);
create index ride_taps_of_person on ride_taps (bucket, provider_id, person_id, id) where person_id is not null;
create index ride_taps_received on ride_taps (bucket, provider_id, received_at, id);

-- As in the foundation: numbers of a large installation, so that plans are the same from the first row on.
delete from sqlite_stat1 where tbl in ('ride_devices', 'ride_device_prints', 'ride_denials', 'gate_journals', 'ride_taps', 'terminals');
insert into sqlite_stat1 (tbl, idx, stat)
select tables.name, case when indexes.origin = 'pk' and listed.wr = 1 then tables.name else indexes.name end,
    case (select count(*) from pragma_index_info(indexes.name))
        when 1 then '1000000 1'
        when 2 then '1000000 10000 1'
        when 3 then '1000000 10000 100 1'
        else '1000000 10000 100 10 1'
    end
from sqlite_schema tables join pragma_index_list(tables.name) indexes join pragma_table_list(tables.name) listed
where tables.type = 'table' and tables.name in ('ride_devices', 'ride_device_prints', 'ride_denials', 'gate_journals', 'ride_taps', 'terminals');
analyze sqlite_schema;
