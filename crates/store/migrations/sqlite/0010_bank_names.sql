-- The seller's bank by its name, which a page in fapiao form shows. Row S20.

alter table tax_setups add column bank_name text;
