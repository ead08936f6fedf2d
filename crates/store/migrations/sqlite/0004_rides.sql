-- Rides: travel types and policies, applications, consultations, ride orders; on the payments' side claims, counters,
-- arrears. Forms lie in their institution's bucket, an order in that of who is asked first, arrears and consents in the
-- person's, numbers and conflicts in the provider's.

create table travel_types (
    bucket integer not null,
    id text not null,
    institution_id text not null,
    code text not null,
    name text not null,
    -- One field a line: name, kind, presence, label, choices, separated by tabs.
    form text not null,
    approval text not null,
    refund text not null,
    created_at integer not null,
    primary key (bucket, id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
) strict, without rowid;
create unique index travel_types_code on travel_types (bucket, institution_id, code);

create table travel_policies (
    bucket integer not null,
    travel_type_id text not null,
    version integer not null,
    rules text not null,
    from_at integer not null,
    created_at integer not null,
    primary key (bucket, travel_type_id, version),
    foreign key (bucket, travel_type_id) references travel_types (bucket, id)
) strict, without rowid;

-- One step a line: source, then what it pays at most.
create table ride_funding (
    bucket integer not null,
    institution_id text not null,
    steps text not null,
    changed_at integer not null,
    primary key (bucket, institution_id)
) strict, without rowid;

create table travel_applications (
    bucket integer not null,
    id text not null,
    institution_id text not null,
    member_id text not null,
    person_id text not null,
    travel_type_id text not null,
    type_code text not null,
    purpose text not null,
    cost_centre text,
    -- One a line.
    cities text not null,
    -- One a line: name and value, separated by a tab.
    fields text not null,
    -- Null: standing.
    rides_allowed integer,
    valid_from integer not null,
    valid_until integer not null,
    switched_on integer not null check (switched_on in (0, 1)),
    state text not null,
    state_at integer not null,
    -- Who approved or refused, or to whom it was delegated.
    state_by text,
    reason text,
    rides_used integer not null,
    lock_holder text,
    lock_until integer,
    version integer not null,
    created_at integer not null,
    primary key (bucket, id),
    check ((lock_holder is null) = (lock_until is null)),
    check (rides_allowed is null or rides_used <= rides_allowed)
) strict, without rowid;
create index travel_applications_of_person on travel_applications (bucket, person_id, id);
create index travel_applications_of_institution on travel_applications (bucket, institution_id, id);
create index travel_applications_waiting on travel_applications (bucket, institution_id, id) where state = 'waiting';
-- For releasing those of all buckets whose validity is over.
create index travel_applications_due on travel_applications (valid_until) where state = 'approved' or state = 'waiting';

create table travel_history (
    bucket integer not null,
    application_id text not null,
    -- The application's version that the line came with.
    version integer not null,
    at integer not null,
    actor text not null,
    what text not null,
    note text,
    primary key (bucket, application_id, version)
) strict, without rowid;

create table ride_consultations (
    bucket integer not null,
    id text not null,
    merchant_id text not null,
    person_id text not null,
    travel_type text not null,
    application_id text,
    why text,
    created_at integer not null,
    primary key (bucket, id)
) strict, without rowid;

create table ride_orders (
    bucket integer not null,
    id text not null,
    merchant_id text not null,
    number text not null,
    person_id text not null,
    travel_type text not null,
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    start_at integer not null,
    start_place text not null,
    start_stop text not null,
    start_city text not null,
    end_at integer not null,
    end_place text not null,
    end_stop text not null,
    end_city text not null,
    line text not null,
    distance_m integer,
    companions integer,
    consultation_id text,
    application_id text,
    why text,
    institution_id text,
    member_id text,
    state text not null,
    institution_payment_id text,
    institution_minor integer,
    institution_refusal text,
    personal_payment_id text,
    personal_minor integer,
    personal_refusal text,
    arrears_minor integer not null,
    policy_version integer,
    refunded_minor integer not null check (refunded_minor between 0 and amount_minor),
    created_at integer not null,
    changed_at integer not null,
    primary key (bucket, id)
) strict, without rowid;
create index ride_orders_of_person on ride_orders (bucket, person_id, id);
create index ride_orders_of_institution on ride_orders (bucket, institution_id, id) where institution_id is not null;
-- For recovery over all buckets.
create index ride_orders_paying on ride_orders (created_at) where state = 'paying';

-- The provider's number, in the provider's bucket: which order has it, and what was said.
create table ride_numbers (
    bucket integer not null,
    merchant_id text not null,
    number text not null,
    order_id text not null,
    fingerprint text not null,
    created_at integer not null,
    primary key (bucket, merchant_id, number)
) strict, without rowid;
create index ride_numbers_order on ride_numbers (bucket, merchant_id, order_id);

create table ride_conflicts (
    bucket integer not null,
    merchant_id text not null,
    number text not null,
    created_at integer not null,
    order_id text not null,
    said text not null,
    primary key (bucket, merchant_id, number, created_at)
) strict, without rowid;

create table ride_consents (
    bucket integer not null,
    person_id text not null,
    cap_minor integer not null check (cap_minor > 0),
    currency text not null,
    given_at integer not null,
    withdrawn_at integer,
    primary key (bucket, person_id)
) strict, without rowid;

-- The payment platform's side. An order is decided here, once.
create table ride_payments (
    bucket integer not null,
    order_id text not null,
    person_id text not null,
    institution_payment_id text,
    personal_payment_id text,
    arrears_minor integer not null check (arrears_minor >= 0),
    created_at integer not null,
    primary key (bucket, order_id)
) strict;

create table ride_counters (
    bucket integer not null,
    travel_type_id text not null,
    person_id text not null,
    day integer not null,
    day_minor integer not null,
    day_count integer not null,
    week_minor integer not null,
    week_count integer not null,
    month integer not null,
    month_minor integer not null,
    month_count integer not null,
    quarter_minor integer not null,
    quarter_count integer not null,
    year_minor integer not null,
    year_count integer not null,
    primary key (bucket, travel_type_id, person_id)
) strict, without rowid;

create table ride_arrears (
    bucket integer not null,
    person_id text not null,
    order_id text not null,
    payment_id text not null,
    merchant_id text not null,
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    since_at integer not null,
    settled_at integer,
    primary key (bucket, person_id, order_id)
) strict, without rowid;
create index ride_arrears_open on ride_arrears (bucket, person_id, order_id) where settled_at is null;

-- As in 0001: plans are those of a large installation from the first row on.
insert into sqlite_stat1 (tbl, idx, stat)
select tables.name, case when indexes.origin = 'pk' and listed.wr = 1 then tables.name else indexes.name end,
    case (select count(*) from pragma_index_info(indexes.name))
        when 1 then '1000000 1'
        when 2 then '1000000 10000 1'
        when 3 then '1000000 10000 100 1'
        else '1000000 10000 100 10 1'
    end
from sqlite_schema tables join pragma_index_list(tables.name) indexes join pragma_table_list(tables.name) listed
where tables.type = 'table' and (tables.name like 'travel\_%' escape '\' or tables.name like 'ride\_%' escape '\')
    and exists (select 1 from pragma_table_info(tables.name) columns where columns.name = 'bucket');
analyze sqlite_schema;
