-- What an invoice by EN 16931 needs of its buyer beside a title: where it is, its VAT id, where its machines receive
-- documents, and what it wants to see again. All may be absent: profiles entered earlier have none of them.

alter table profiles add column vat_id text;
alter table profiles add column postcode text;
alter table profiles add column city text;
alter table profiles add column country text;
alter table profiles add column electronic_address text;
alter table profiles add column buyer_reference text;
