-- Which periods are closed by themselves: for an institution, and otherwise for one of its providers. Row R09.
-- What is due is found by its instant.

alter table ride_bill_schedules add column merchant_id text not null default '';
alter table ride_bill_schedules alter column merchant_id drop default;
alter table ride_bill_schedules add column due_at bigint;
-- Due at once: the first look finds out when.
update ride_bill_schedules set due_at = 0;
alter table ride_bill_schedules drop constraint ride_bill_schedules_pkey;
alter table ride_bill_schedules add primary key (bucket, institution_id, merchant_id);
create index ride_bill_schedules_due on ride_bill_schedules (due_at) where due_at is not null;
