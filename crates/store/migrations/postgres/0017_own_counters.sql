-- A person's own account keeps the counters of the person's own code beside its balance: a payment changes one row of its
-- payer, not two. A line a scenario: its id and the numbers of usage_counters in their order.

alter table accounts add column counters text;

update accounts set counters = (
    select string_agg(u.scenario_id || ' ' || u.day || ' ' || u.day_minor || ' ' || u.day_count || ' ' || u.month || ' ' ||
        u.month_minor || ' ' || u.month_count || ' ' || u.week_minor || ' ' || u.week_count || ' ' || u.quarter_minor ||
        ' ' || u.quarter_count || ' ' || u.year_minor || ' ' || u.year_count, chr(10))
    from code_records r
    join usage_counters u on u.bucket = r.bucket and u.record_id = r.id
    where r.bucket = accounts.bucket and r.kind = 'user' and r.holder_id = accounts.owner_id and r.account_id = accounts.id
) where exists (
    select 1 from code_records r where r.bucket = accounts.bucket and r.kind = 'user' and r.holder_id = accounts.owner_id and r.account_id = accounts.id
);

delete from usage_counters where exists (
    select 1 from code_records r
    where r.bucket = usage_counters.bucket and r.id = usage_counters.record_id and r.kind = 'user'
);
