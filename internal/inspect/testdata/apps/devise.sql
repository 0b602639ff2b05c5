-- application: Rails with Devise
-- dialect: postgres
-- init: table users
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter confirmed_at IS NOT NULL
-- init: filter discarded_at IS NULL
-- init: topic marketing_emails
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '', encrypted_password varchar NOT NULL DEFAULT '', reset_password_token varchar, remember_created_at timestamp, sign_in_count integer NOT NULL DEFAULT 0, confirmation_token varchar, confirmed_at timestamp, unconfirmed_email varchar,
  failed_attempts integer NOT NULL DEFAULT 0, locked_at timestamp, first_name varchar, last_name varchar, admin boolean NOT NULL DEFAULT false, marketing_emails boolean NOT NULL DEFAULT false, discarded_at timestamp, created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp NOT NULL DEFAULT now());
CREATE UNIQUE INDEX index_users_on_email ON users (email);
CREATE INDEX index_users_on_updated_at ON users (updated_at);
CREATE TABLE archived_users (id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '', first_name varchar, last_name varchar, archived_at timestamp);
CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar);
INSERT INTO users (email, confirmed_at, first_name, last_name, marketing_emails, discarded_at) VALUES ('ada@example.com', '2024-01-01', 'Ada', 'Lovelace', true, NULL), ('grace@example.com', '2024-01-01', 'Grace', 'Hopper', false, NULL), ('new@example.com', NULL, 'New', 'Person', true, NULL), ('gone@example.com', '2024-01-01', 'Gone', 'Person', true, '2024-02-01');
INSERT INTO archived_users (email, first_name, last_name, archived_at) VALUES ('old@example.com', 'Old', 'Person', '2023-01-01');
