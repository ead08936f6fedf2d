-- Rows that every payment changes keep room beside them, so that a new version stays on its page and no index is written.
-- Rows of the outbox live for a moment; what they leave is swept before it is searched through.
alter table accounts set (fillfactor = 50);
alter table usage_counters set (fillfactor = 50);
alter table code_devices set (fillfactor = 70);
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
