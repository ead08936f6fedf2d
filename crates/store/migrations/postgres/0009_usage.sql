-- Limits per week, quarter and year. The week follows from `day`, quarter and year from `month`.
-- Counters that stand already begin with the day and the month that run: no rule has counted longer until now.
alter table usage_counters add column week_minor bigint not null default 0;
alter table usage_counters add column week_count bigint not null default 0;
alter table usage_counters add column quarter_minor bigint not null default 0;
alter table usage_counters add column quarter_count bigint not null default 0;
alter table usage_counters add column year_minor bigint not null default 0;
alter table usage_counters add column year_count bigint not null default 0;
update usage_counters set week_minor = day_minor, week_count = day_count, quarter_minor = month_minor,
    quarter_count = month_count, year_minor = month_minor, year_count = month_count;
alter table usage_counters alter column week_minor drop default;
alter table usage_counters alter column week_count drop default;
alter table usage_counters alter column quarter_minor drop default;
alter table usage_counters alter column quarter_count drop default;
alter table usage_counters alter column year_minor drop default;
alter table usage_counters alter column year_count drop default;
