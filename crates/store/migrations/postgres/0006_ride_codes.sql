-- Ride codes: devices and deny list of the issuer, journals of gates. A gate is a terminal of a ride provider.

alter table terminals drop constraint terminals_role_check;
alter table terminals add constraint terminals_role_check check (role in ('cashier', 'invoice', 'gate'));

-- What shows ride codes: its public key, and until when an entitlement of it may still be good.
create table ride_devices (
    bucket smallint not null,
    id text not null,
    person_id text not null,
    name text not null,
    algorithm text not null check (algorithm in ('ed25519', 'p256')),
    public_key bytea not null,
    -- Eight bytes as hexadecimal: what deny lists and codes name a device by.
    fingerprint text not null,
    entitled_until bigint not null,
    created_at bigint not null,
    revoked_at bigint,
    primary key (bucket, id),
    foreign key (bucket, person_id) references people (bucket, id)
);
create index ride_devices_of_person on ride_devices (bucket, person_id, id);

-- A fingerprint lies in the bucket that its own hash leads to.
create table ride_device_prints (
    bucket smallint not null,
    fingerprint text not null,
    device_id text not null,
    person_id text not null,
    primary key (bucket, fingerprint)
);

-- Devices whose codes gates must refuse, as long as an entitlement of theirs may be about.
create table ride_denials (
    bucket smallint not null,
    device_id text not null,
    fingerprint text not null,
    reason text not null check (reason in ('revoked', 'arrears')),
    changed_at bigint not null,
    lifted smallint not null check (lifted in (0, 1)),
    until_at bigint not null,
    primary key (bucket, device_id)
);
-- For the deny list, over all buckets.
create index ride_denials_changed on ride_denials (changed_at);
create index ride_denials_until on ride_denials (until_at);

-- One journal of a gate: a chain of records under one key. A gate that lost its folder begins another.
create table gate_journals (
    bucket smallint not null,
    gate_id text not null,
    -- Of its key: eight bytes as hexadecimal.
    journal text not null,
    public_key bytea not null,
    -- The highest number known, and how many are here; fewer: some are still to come.
    head bigint not null,
    records bigint not null,
    -- The last tap's time, in the journal's order.
    head_at bigint not null,
    created_at bigint not null,
    primary key (bucket, gate_id, journal),
    foreign key (bucket, gate_id) references terminals (bucket, id)
);

-- What gates have seen, accepted or not. Never changed, never deleted: an accepted passage is a fact.
create table ride_taps (
    bucket smallint not null,
    id text not null,
    provider_id text not null,
    gate_id text not null,
    journal text not null,
    sequence bigint not null,
    kind text not null check (kind in ('entry', 'exit', 'tap')),
    station text not null,
    at bigint not null,
    received_at bigint not null,
    clock_fault text check (clock_fault in ('ahead', 'back')),
    -- `accepted`, or the error's code.
    verdict text not null,
    fingerprint text,
    person_id text,
    device_id text,
    counter bigint not null,
    payer text not null check (payer in ('person', 'institution')),
    rule_digest text not null,
    incomplete smallint not null check (incomplete in (0, 1)),
    sound smallint not null check (sound in (0, 1)),
    -- The record before it is here and its hash is not the one this record names.
    chain_broken smallint not null check (chain_broken in (0, 1)),
    hash bytea not null,
    -- As the gate signed it, the code inside: evidence.
    record bytea not null,
    primary key (bucket, id)
);
-- A gate that was restored from a copy may say two things under one number: both are facts.
create unique index ride_taps_sequence on ride_taps (bucket, gate_id, journal, sequence, hash);
create index ride_taps_of_person on ride_taps (bucket, provider_id, person_id, id) where person_id is not null;
create index ride_taps_received on ride_taps (bucket, provider_id, received_at, id);
