-- application: Django with allauth
-- dialect: postgres
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace||
-- init: table auth_user
-- init: key id
-- init: address account_emailaddress.email
-- init: names first_name
-- init: names last_name
-- init: filter u.is_active
-- init: filter NOT u.is_staff
-- init: filter a.verified
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|
CREATE TABLE auth_user (id serial PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, is_superuser boolean NOT NULL, username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL,
  is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamptz NOT NULL);
CREATE TABLE account_emailaddress (id serial PRIMARY KEY, email varchar(254) NOT NULL, verified boolean NOT NULL, "primary" boolean NOT NULL, user_id integer NOT NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date timestamptz NOT NULL);
INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES (1, 'x', true, 'root', '', '', 'root@example.com', true, true, '2024-01-01'),
  (2, 'x', false, 'ada', 'Ada', 'Lovelace', 'ada@example.com', false, true, '2024-01-01'), (3, 'x', false, 'grace77', 'Grace', '', 'old@example.com', false, true, '2024-01-01'),
  (4, 'x', false, 'gone', 'Gone', '', 'gone@example.com', false, false, '2024-01-01'), (5, 'x', false, 'new', 'New', '', 'new@example.com', false, true, '2024-01-01');
INSERT INTO account_emailaddress (email, verified, "primary", user_id) VALUES ('root@example.com', true, true, 1), ('ada@example.com', true, true, 2), ('grace@example.com', true, true, 3), ('old@example.com', true, false, 3),
  ('gone@example.com', true, true, 4), ('new@example.com', false, true, 5);
