-- Rides: travel types and policies, applications, consultations, ride orders; on the payments' side claims, counters,
-- arrears. Forms lie in their institution's bucket, an order in that of who is asked first, arrears and consents in the
-- person's, numbers and conflicts in the provider's.

create table travel_types (
    bucket smallint not null,
    id text not null,
    institution_id text not null,
    code text not null,
    name text not null,
    -- One field a line: name, kind, presence, label, choices, separated by tabs.
    form text not null,
    approval text not null,
    refund text not null,
    created_at bigint not null,
    primary key (bucket, id),
    foreign key (bucket, institution_id) references institutions (bucket, id)
);
create unique index travel_types_code on travel_types (bucket, institution_id, code);

create table travel_policies (
    bucket smallint not null,
    travel_type_id text not null,
    version bigint not null,
    rules text not null,
    from_at bigint not null,
    created_at bigint not null,
    primary key (bucket, travel_type_id, version),
    foreign key (bucket, travel_type_id) references travel_types (bucket, id)
);

-- One step a line: source, then what it pays at most.
create table ride_funding (
    bucket smallint not null,
    institution_id text not null,
    steps text not null,
    changed_at bigint not null,
    primary key (bucket, institution_id)
);

create table travel_applications (
    bucket smallint not null,
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
    rides_allowed bigint,
    valid_from bigint not null,
    valid_until bigint not null,
    switched_on smallint not null check (switched_on in (0, 1)),
    state text not null,
    state_at bigint not null,
    -- Who approved or refused, or to whom it was delegated.
    state_by text,
    reason text,
    rides_used bigint not null,
    lock_holder text,
    lock_until bigint,
    version bigint not null,
    created_at bigint not null,
    primary key (bucket, id),
    check ((lock_holder is null) = (lock_until is null)),
    check (rides_allowed is null or rides_used <= rides_allowed)
);
create index travel_applications_of_person on travel_applications (bucket, person_id, id);
create index travel_applications_of_institution on travel_applications (bucket, institution_id, id);
create index travel_applications_waiting on travel_applications (bucket, institution_id, id) where state = 'waiting';
-- For releasing those of all buckets whose validity is over.
create index travel_applications_due on travel_applications (valid_until) where state = 'approved' or state = 'waiting';

create table travel_history (
    bucket smallint not null,
    application_id text not null,
    -- The application's version that the line came with.
    version bigint not null,
    at bigint not null,
    actor text not null,
    what text not null,
    note text,
    primary key (bucket, application_id, version)
);

create table ride_consultations (
    bucket smallint not null,
    id text not null,
    merchant_id text not null,
    person_id text not null,
    travel_type text not null,
    application_id text,
    why text,
    created_at bigint not null,
    primary key (bucket, id)
);

create table ride_orders (
    bucket smallint not null,
    id text not null,
    merchant_id text not null,
    number text not null,
    person_id text not null,
    travel_type text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    start_at bigint not null,
    start_place text not null,
    start_stop text not null,
    start_city text not null,
    end_at bigint not null,
    end_place text not null,
    end_stop text not null,
    end_city text not null,
    line text not null,
    distance_m bigint,
    companions bigint,
    consultation_id text,
    application_id text,
    why text,
    institution_id text,
    member_id text,
    state text not null,
    institution_payment_id text,
    institution_minor bigint,
    institution_refusal text,
    personal_payment_id text,
    personal_minor bigint,
    personal_refusal text,
    arrears_minor bigint not null,
    policy_version bigint,
    refunded_minor bigint not null check (refunded_minor between 0 and amount_minor),
    created_at bigint not null,
    changed_at bigint not null,
    primary key (bucket, id)
);
create index ride_orders_of_person on ride_orders (bucket, person_id, id);
create index ride_orders_of_institution on ride_orders (bucket, institution_id, id) where institution_id is not null;
-- For recovery over all buckets.
create index ride_orders_paying on ride_orders (created_at) where state = 'paying';

-- The provider's number, in the provider's bucket: which order has it, and what was said.
create table ride_numbers (
    bucket smallint not null,
    merchant_id text not null,
    number text not null,
    order_id text not null,
    fingerprint text not null,
    created_at bigint not null,
    primary key (bucket, merchant_id, number)
);
create index ride_numbers_order on ride_numbers (bucket, merchant_id, order_id);

create table ride_conflicts (
    bucket smallint not null,
    merchant_id text not null,
    number text not null,
    created_at bigint not null,
    order_id text not null,
    said text not null,
    primary key (bucket, merchant_id, number, created_at)
);

create table ride_consents (
    bucket smallint not null,
    person_id text not null,
    cap_minor bigint not null check (cap_minor > 0),
    currency text not null,
    given_at bigint not null,
    withdrawn_at bigint,
    primary key (bucket, person_id)
);

-- The payment platform's side. An order is decided here, once.
create table ride_payments (
    bucket smallint not null,
    order_id text not null,
    person_id text not null,
    institution_payment_id text,
    personal_payment_id text,
    arrears_minor bigint not null check (arrears_minor >= 0),
    created_at bigint not null,
    primary key (bucket, order_id)
);

create table ride_counters (
    bucket smallint not null,
    travel_type_id text not null,
    person_id text not null,
    day bigint not null,
    day_minor bigint not null,
    day_count bigint not null,
    week_minor bigint not null,
    week_count bigint not null,
    month bigint not null,
    month_minor bigint not null,
    month_count bigint not null,
    quarter_minor bigint not null,
    quarter_count bigint not null,
    year_minor bigint not null,
    year_count bigint not null,
    primary key (bucket, travel_type_id, person_id)
);

create table ride_arrears (
    bucket smallint not null,
    person_id text not null,
    order_id text not null,
    payment_id text not null,
    merchant_id text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    since_at bigint not null,
    settled_at bigint,
    primary key (bucket, person_id, order_id)
);
create index ride_arrears_open on ride_arrears (bucket, person_id, order_id) where settled_at is null;
