-- Operators and merchants' back offices sign in to pages with a key (rows S20, S21); institutions keep calendars.
-- SQLite cannot change a check, so the table is written anew; with row numbers, so that a person's sessions are found by their index.

create table sessions_new (
    bucket integer not null,
    id text not null,
    kind text not null check (kind in ('person', 'terminal', 'operator', 'merchant')),
    person_id text,
    key_id text,
    terminal_id text,
    secret_hash text not null,
    agent text not null,
    created_at integer not null,
    expires_at integer not null,
    primary key (bucket, id)
) strict;
insert into sessions_new select bucket, id, kind, person_id, key_id, terminal_id, secret_hash, agent, created_at, expires_at
    from sessions;
drop table sessions;
alter table sessions_new rename to sessions;
create index sessions_of_person on sessions (bucket, person_id, id);
create index sessions_expiry on sessions (expires_at);

-- One special day or run of days a line, as people write it.
create table work_calendars (
    bucket integer not null,
    institution_id text not null,
    days text not null,
    changed_at integer not null,
    primary key (bucket, institution_id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
) strict, without rowid;
