-- Institutions that decide about rides themselves, and what they answered (row R05).

create table ride_deciders (
    bucket integer not null,
    institution_id text not null,
    url text not null,
    otherwise text not null check (otherwise in ('own_policy', 'refuse')),
    -- Secrets follow from the server's own and this number.
    secret_number integer not null,
    secret_at integer not null,
    changed_at integer not null,
    primary key (bucket, institution_id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
) strict, without rowid;

-- One row an order, consultation or test: asked again, the same is answered.
create table ride_decisions (
    bucket integer not null,
    subject text not null,
    institution_id text not null,
    kind text not null check (kind in ('consultation', 'payment', 'test')),
    decision text not null,
    otherwise text not null check (otherwise in ('own_policy', 'refuse')),
    took_ms integer not null,
    created_at integer not null,
    primary key (bucket, subject),
    foreign key (bucket, institution_id) references institutions (bucket, id)
) strict, without rowid;
create index ride_decisions_of_institution on ride_decisions (bucket, institution_id, created_at);
