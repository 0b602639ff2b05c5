-- application: Discourse
-- dialect: postgres
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace||
-- init: table users
-- init: key id
-- init: address user_emails.email
-- init: whole name full_name
-- init: filter u.id > 0
-- init: filter u.active
-- init: filter u.approved
-- init: filter (u.suspended_till IS NULL OR u.suspended_till < now())
-- init: filter NOT u.staged
-- init: topic email_digests
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace||
CREATE TABLE users (id serial PRIMARY KEY, username varchar(60) NOT NULL, created_at timestamp NOT NULL DEFAULT '2024-01-01', updated_at timestamp NOT NULL DEFAULT '2024-01-01', name varchar, last_seen_at timestamp,
  admin boolean NOT NULL DEFAULT false, moderator boolean DEFAULT false, active boolean NOT NULL DEFAULT false, approved boolean NOT NULL DEFAULT false, staged boolean NOT NULL DEFAULT false,
  suspended_at timestamp, suspended_till timestamp, silenced_till timestamp, trust_level integer NOT NULL DEFAULT 1, ip_address inet);
CREATE TABLE user_emails (id serial PRIMARY KEY, user_id integer NOT NULL, email varchar(513) NOT NULL, "primary" boolean NOT NULL DEFAULT false, created_at timestamp NOT NULL DEFAULT '2024-01-01', updated_at timestamp NOT NULL DEFAULT '2024-01-01');
CREATE UNIQUE INDEX index_user_emails_on_email ON user_emails (lower(email));
CREATE TABLE user_options (user_id integer PRIMARY KEY, mailing_list_mode boolean NOT NULL DEFAULT false, email_digests boolean, email_level integer NOT NULL DEFAULT 1);
INSERT INTO users (id, username, name, active, approved, staged, suspended_till) VALUES (-1, 'system', 'system', true, true, false, NULL), (1, 'ada', 'Ada Lovelace', true, true, false, NULL),
  (2, 'grace77', 'Grace', true, true, false, NULL), (3, 'mailer', NULL, false, false, true, NULL), (4, 'troll', 'A Troll', true, true, false, '2999-01-01');
INSERT INTO user_emails (user_id, email, "primary") VALUES (-1, 'no_email@example.org', true), (1, 'ada@example.com', true), (1, 'ada.second@example.com', false), (2, 'grace@example.com', true),
  (3, 'staged@example.com', true), (4, 'troll@example.com', true);
INSERT INTO user_options (user_id, email_digests) VALUES (-1, false), (1, true), (2, false), (3, true), (4, true);
