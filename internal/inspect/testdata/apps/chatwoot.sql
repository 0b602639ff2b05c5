-- application: Chatwoot
-- dialect: postgres
-- init: runner-up users
-- init: table contacts
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter email IS NOT NULL
-- init: filter NOT blocked
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE TABLE accounts (id serial PRIMARY KEY, name varchar NOT NULL, support_email varchar(100), locale integer DEFAULT 0);
CREATE TABLE users (id serial PRIMARY KEY, provider varchar NOT NULL DEFAULT 'email', uid varchar NOT NULL DEFAULT '', encrypted_password varchar NOT NULL DEFAULT '', confirmed_at timestamp, name varchar NOT NULL, display_name varchar, email varchar, availability integer DEFAULT 0, otp_secret varchar);
CREATE TABLE contacts (id serial PRIMARY KEY, name varchar DEFAULT '', email varchar, phone_number varchar, account_id integer NOT NULL REFERENCES accounts (id), middle_name varchar DEFAULT '', last_name varchar DEFAULT '', blocked boolean NOT NULL DEFAULT false, additional_attributes jsonb DEFAULT '{}', created_at timestamp NOT NULL DEFAULT now());
INSERT INTO accounts (name) VALUES ('Shop');
INSERT INTO users (name, email, uid, encrypted_password, confirmed_at) VALUES ('Agent', 'agent@example.com', 'agent@example.com', 'x', '2024-01-01');
INSERT INTO contacts (name, email, account_id, blocked) VALUES ('Ada Lovelace', 'ada@example.com', 1, false), ('Grace Hopper', 'grace@example.com', 1, false), ('Troll', 'troll@example.com', 1, true), ('No Address', NULL, 1, false);
