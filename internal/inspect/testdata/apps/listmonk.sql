-- application: listmonk
-- dialect: postgres
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace||
-- contact: alan@example.com|Alan|Turing|
-- init: table subscribers
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter s.status = 'enabled'
-- init: topic newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: alan@example.com|Alan|Turing|
-- person: grace@example.com|Grace||
CREATE TYPE subscriber_status AS ENUM ('enabled', 'disabled', 'blocklisted');
CREATE TYPE subscription_status AS ENUM ('unconfirmed', 'confirmed', 'unsubscribed');
CREATE TYPE list_optin AS ENUM ('single', 'double');
CREATE TABLE users (id serial PRIMARY KEY, username text NOT NULL UNIQUE, password_login boolean NOT NULL DEFAULT false, password text, email text NOT NULL UNIQUE, name text NOT NULL, user_role_id integer NOT NULL DEFAULT 1);
CREATE TABLE subscribers (id serial PRIMARY KEY, uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE, name text NOT NULL, attribs jsonb NOT NULL DEFAULT '{}', status subscriber_status NOT NULL DEFAULT 'enabled',
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE lists (id serial PRIMARY KEY, uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), name text NOT NULL, optin list_optin NOT NULL DEFAULT 'single', tags varchar(100)[], created_at timestamptz DEFAULT now());
CREATE TABLE subscriber_lists (subscriber_id integer REFERENCES subscribers (id) ON DELETE CASCADE ON UPDATE CASCADE, list_id integer NULL REFERENCES lists (id) ON DELETE CASCADE ON UPDATE CASCADE, meta jsonb NOT NULL DEFAULT '{}',
  status subscription_status NOT NULL DEFAULT 'unconfirmed', created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), PRIMARY KEY (subscriber_id, list_id));
INSERT INTO users (username, email, name) VALUES ('admin', 'admin@example.com', 'Admin');
INSERT INTO subscribers (id, email, name, status) VALUES (1, 'ada@example.com', 'Ada Lovelace', 'enabled'), (2, 'grace@example.com', 'Grace', 'enabled'), (3, 'alan@example.com', 'Alan Turing', 'enabled'), (4, 'blocked@example.com', 'Blocked', 'blocklisted');
INSERT INTO lists (id, name) VALUES (1, 'News');
INSERT INTO subscriber_lists (subscriber_id, list_id, status) VALUES (1, 1, 'confirmed'), (2, 1, 'unsubscribed'), (3, 1, 'unconfirmed'), (4, 1, 'confirmed');
