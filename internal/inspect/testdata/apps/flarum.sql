-- application: Flarum
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table users
-- init: key id
-- init: address email
-- init: filter is_email_confirmed
-- init: filter (suspended_until IS NULL OR suspended_until < now())
-- person: ada@example.com||
-- person: grace@example.com||
CREATE TABLE users (id integer NOT NULL PRIMARY KEY, username varchar(100) NOT NULL UNIQUE, nickname varchar(150), email varchar(150) NOT NULL UNIQUE, is_email_confirmed boolean NOT NULL, password varchar(100) NOT NULL, bio text, preferences text, joined_at timestamp NULL, suspended_until timestamp NULL, suspend_reason text);
CREATE TABLE registration_tokens (token varchar(100) NOT NULL PRIMARY KEY, provider varchar(255) NOT NULL, identifier varchar(255) NOT NULL);
INSERT INTO users (id, username, nickname, email, is_email_confirmed, password, suspended_until) VALUES (1, 'ada', NULL, 'ada@example.com', true, 'x', NULL), (2, 'grace77', NULL, 'grace@example.com', true, 'x', '2024-01-01 00:00:00'), (3, 'new', NULL, 'new@example.com', false, 'x', NULL), (4, 'troll', NULL, 'troll@example.com', true, 'x', '2037-01-01 00:00:00');
