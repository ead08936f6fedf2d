-- Limits per week, quarter and year. The week follows from `day`, quarter and year from `month`.
-- Counters that stand already begin with the day and the month that run: no rule has counted longer until now.
alter table usage_counters add column week_minor integer not null default 0;
alter table usage_counters add column week_count integer not null default 0;
alter table usage_counters add column quarter_minor integer not null default 0;
alter table usage_counters add column quarter_count integer not null default 0;
alter table usage_counters add column year_minor integer not null default 0;
alter table usage_counters add column year_count integer not null default 0;
update usage_counters set week_minor = day_minor, week_count = day_count, quarter_minor = month_minor,
    quarter_count = month_count, year_minor = month_minor, year_count = month_count;
