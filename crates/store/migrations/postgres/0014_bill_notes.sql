-- Credit notes of bills, where no later bill follows that could credit a refund; and bills on their way by e-mail. Row R09.
-- A credit note is a bill without rides that names the bill it corrects.

alter table ride_bills add column corrects text;
alter table ride_bills drop constraint ride_bills_check;
alter table ride_bills add constraint ride_bills_credited
    check (credited_minor >= 0 and (corrects is not null or credited_minor <= charged_minor));
alter table ride_bills add constraint ride_bills_note check (corrects is null or rides = 0);
drop index ride_bills_period;
create unique index ride_bills_period on ride_bills
    (bucket, institution_id, merchant_id, currency, from_at, until_at) where corrects is null;
create index ride_bills_notes on ride_bills (bucket, corrects, id) where corrects is not null;
-- Whoever asks twice at once gets one credit note.
create unique index ride_bills_open_note on ride_bills (bucket, corrects) where corrects is not null and state = 'closing';

-- The bill's document on its way to the institution; sending it again begins anew.
create table ride_bill_mails (
    bucket smallint not null,
    bill_id text not null,
    id text not null,
    address text not null,
    state text not null check (state in ('waiting', 'delivered', 'failed')),
    attempts bigint not null,
    next_at bigint,
    problem text,
    created_at bigint not null,
    delivered_at bigint,
    primary key (bucket, bill_id)
);
create index ride_bill_mails_due on ride_bill_mails (next_at) where next_at is not null;
