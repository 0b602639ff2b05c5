-- application: Medusa
-- dialect: postgres
-- init: runner-up user
-- init: table customer
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter deleted_at IS NULL
-- person: ada@example.com|Ada|Lovelace
-- person: guest@example.com||
CREATE TABLE "user" (id text PRIMARY KEY, first_name text, last_name text, email text NOT NULL, avatar_url text, metadata jsonb, created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz);
CREATE TABLE customer (id text PRIMARY KEY, company_name text, first_name text, last_name text, email text, phone text, has_account boolean NOT NULL DEFAULT false, metadata jsonb, created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz);
CREATE TABLE customer_address (id text PRIMARY KEY, customer_id text NOT NULL REFERENCES customer (id), first_name text, last_name text, address_1 text);
INSERT INTO "user" (id, email) VALUES ('user_01HZXYZXYZ', 'admin@example.com');
INSERT INTO customer (id, first_name, last_name, email, has_account) VALUES ('cus_01HZXYZXY1', 'Ada', 'Lovelace', 'ada@example.com', true), ('cus_01HZXYZXY2', NULL, NULL, 'guest@example.com', false);
