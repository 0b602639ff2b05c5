-- application: Mastodon
-- dialect: postgres
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|||
-- init: table users
-- init: key id
-- init: address email
-- init: whole name full_name
-- init: filter u.confirmed_at IS NOT NULL
-- init: filter u.approved
-- init: filter NOT u.disabled
-- init: filter a.suspended_at IS NULL
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com||
CREATE TABLE accounts (id bigserial PRIMARY KEY, username varchar NOT NULL DEFAULT '', domain varchar, display_name varchar NOT NULL DEFAULT '', note text NOT NULL DEFAULT '', suspended_at timestamp, created_at timestamp NOT NULL DEFAULT '2024-01-01');
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '', created_at timestamp NOT NULL DEFAULT '2024-01-01', encrypted_password varchar NOT NULL DEFAULT '', confirmed_at timestamp, unconfirmed_email varchar, locale varchar, account_id bigint NOT NULL REFERENCES accounts (id),
  disabled boolean NOT NULL DEFAULT false, approved boolean NOT NULL DEFAULT true, otp_required_for_login boolean NOT NULL DEFAULT false, role_id bigint);
INSERT INTO accounts (id, username, domain, display_name, suspended_at) VALUES (1, 'ada', NULL, 'Ada Lovelace', NULL), (2, 'grace77', NULL, '', NULL), (3, 'remote', 'elsewhere.example', 'Somebody Else', NULL), (4, 'troll', NULL, 'A Troll', '2024-02-01'), (5, 'new', NULL, 'New', NULL), (6, 'off', NULL, 'Off', NULL), (7, 'waiting', NULL, 'Waiting', NULL);
INSERT INTO users (id, email, confirmed_at, account_id, disabled, approved) VALUES (1, 'ada@example.com', '2024-01-01', 1, false, true), (2, 'grace@example.com', '2024-01-01', 2, false, true), (3, 'troll@example.com', '2024-01-01', 4, false, true),
  (4, 'new@example.com', NULL, 5, false, true), (5, 'off@example.com', '2024-01-01', 6, true, true), (6, 'waiting@example.com', '2024-01-01', 7, false, false);
