-- Codes lie in the order in which they were made: what is paid soon lies together. Codes live for a day at most; those
-- made before are gone, and a person's page shows a new one.

drop table codes;

create table codes (
    bucket integer not null,
    slot integer not null,
    number integer not null,
    id text not null,
    record_id text not null,
    person_id text not null,
    member_id text,
    device text not null,
    address text not null,
    location text,
    created_at integer not null,
    pay_until integer not null,
    primary key (bucket, slot, number)
) strict, without rowid;
