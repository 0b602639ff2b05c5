-- application: GitLab
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table users
-- init: key id
-- init: address email
-- init: whole name full_name
-- init: filter confirmed_at IS NOT NULL
-- init: filter state = 'active'
-- init: topic email_opted_in
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|||
CREATE TABLE users (id integer NOT NULL PRIMARY KEY, email varchar(255) NOT NULL, encrypted_password varchar(255) NOT NULL, name varchar(255), username varchar(255), admin boolean NOT NULL, state varchar(20), confirmed_at timestamp NULL, unconfirmed_email varchar(255), notification_email varchar(255), public_email varchar(255), commit_email varchar(255), user_type smallint, email_opted_in boolean);
CREATE TABLE emails (id integer NOT NULL PRIMARY KEY, user_id integer NOT NULL REFERENCES users (id), email varchar(255) NOT NULL, confirmed_at timestamp NULL);
CREATE TABLE members (id integer NOT NULL PRIMARY KEY, user_id integer, source_id integer NOT NULL, invite_email varchar(255), access_level integer NOT NULL);
INSERT INTO users (id, email, encrypted_password, name, username, admin, state, confirmed_at, user_type, email_opted_in) VALUES (1, 'ada@example.com', 'x', 'Ada Lovelace', 'ada', false, 'active', '2024-01-01 00:00:00', 0, true), (2, 'grace@example.com', 'x', 'grace77', 'grace77', false, 'active', '2024-01-01 00:00:00', 0, false), (3, 'troll@example.com', 'x', 'A Troll', 'troll', false, 'blocked', '2024-01-01 00:00:00', 0, true), (4, 'new@example.com', 'x', 'New Person', 'new', false, 'active', NULL, 0, true);
INSERT INTO emails (id, user_id, email, confirmed_at) VALUES (1, 1, 'ada.second@example.com', '2024-01-01 00:00:00');
INSERT INTO members (id, user_id, source_id, invite_email, access_level) VALUES (1, 1, 1, NULL, 30), (2, NULL, 1, 'invited@example.com', 30);
