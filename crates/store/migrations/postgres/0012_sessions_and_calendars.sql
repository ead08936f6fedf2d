-- Operators and merchants' back offices sign in to pages with a key (rows S20, S21); institutions keep calendars.

alter table sessions drop constraint sessions_kind_check;
alter table sessions add constraint sessions_kind_check check (kind in ('person', 'terminal', 'operator', 'merchant'));

-- One special day or run of days a line, as people write it.
create table work_calendars (
    bucket smallint not null,
    institution_id text not null,
    days text not null,
    changed_at bigint not null,
    primary key (bucket, institution_id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
);
