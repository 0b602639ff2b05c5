-- application: Directus
-- dialect: postgres
-- init: runner-up directus_users
-- init: table people
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: topic newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE directus_roles (id uuid PRIMARY KEY, name varchar(100) NOT NULL);
CREATE TABLE directus_users (id uuid PRIMARY KEY, first_name varchar(50), last_name varchar(50), email varchar(128), password varchar(255), status varchar(16) NOT NULL DEFAULT 'active', role uuid REFERENCES directus_roles (id), tfa_secret varchar(255), email_notifications boolean DEFAULT true);
CREATE TABLE directus_activity (id serial PRIMARY KEY, action varchar(45) NOT NULL, "user" uuid, ip varchar(50));
CREATE TABLE people (id serial PRIMARY KEY, status varchar(255) NOT NULL DEFAULT 'draft', email varchar(255), first_name varchar(255), last_name varchar(255), newsletter boolean DEFAULT false);
INSERT INTO directus_roles VALUES ('00000000-0000-4000-8000-00000000000a', 'Administrator');
INSERT INTO directus_users (id, first_name, last_name, email, password, role) VALUES ('00000000-0000-4000-8000-000000000001', 'Site', 'Admin', 'admin@example.com', 'x', '00000000-0000-4000-8000-00000000000a');
INSERT INTO people (status, email, first_name, last_name, newsletter) VALUES ('published', 'ada@example.com', 'Ada', 'Lovelace', true), ('published', 'grace@example.com', 'Grace', 'Hopper', false);
