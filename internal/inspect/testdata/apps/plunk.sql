-- application: Plunk
-- dialect: postgres
-- init: runner-up users
-- init: table contacts
-- init: key id
-- init: address email
-- init: topic subscribed
-- person: ada@example.com|||yes
-- person: grace@example.com|||
CREATE TABLE users (id text PRIMARY KEY, email text NOT NULL UNIQUE, password text, verified boolean NOT NULL DEFAULT false, created_at timestamp NOT NULL DEFAULT now());
CREATE TABLE projects (id text PRIMARY KEY, name text NOT NULL, secret text NOT NULL, email text);
CREATE TABLE contacts (id text PRIMARY KEY, email text NOT NULL, subscribed boolean NOT NULL DEFAULT true, data text, project_id text NOT NULL REFERENCES projects (id), created_at timestamp NOT NULL DEFAULT now());
CREATE TABLE triggers (id text PRIMARY KEY, contact_id text NOT NULL REFERENCES contacts (id));
INSERT INTO users (id, email, password, verified) VALUES ('u1', 'owner@example.com', 'x', true);
INSERT INTO projects VALUES ('p1', 'Shop', 'x', NULL);
INSERT INTO contacts (id, email, subscribed, project_id) VALUES ('c1', 'ada@example.com', true, 'p1'), ('c2', 'grace@example.com', false, 'p1');
