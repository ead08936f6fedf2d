-- Institutions that decide about rides themselves, and what they answered (row R05).

create table ride_deciders (
    bucket smallint not null,
    institution_id text not null,
    url text not null,
    otherwise text not null check (otherwise in ('own_policy', 'refuse')),
    -- Secrets follow from the server's own and this number.
    secret_number bigint not null,
    secret_at bigint not null,
    changed_at bigint not null,
    primary key (bucket, institution_id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
);

-- One row an order, consultation or test: asked again, the same is answered.
create table ride_decisions (
    bucket smallint not null,
    subject text not null,
    institution_id text not null,
    kind text not null check (kind in ('consultation', 'payment', 'test')),
    decision text not null,
    otherwise text not null check (otherwise in ('own_policy', 'refuse')),
    took_ms bigint not null,
    created_at bigint not null,
    primary key (bucket, subject),
    foreign key (bucket, institution_id) references institutions (bucket, id)
);
create index ride_decisions_of_institution on ride_decisions (bucket, institution_id, created_at);
