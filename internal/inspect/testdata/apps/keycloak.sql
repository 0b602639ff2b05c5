-- application: Keycloak
-- dialect: postgres
-- note: realm_id has several values
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace||
-- init: table user_entity
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter email_verified
-- init: filter enabled
-- init: filter service_account_client_link IS NULL
-- person: ada@example.com|Ada|Lovelace
-- person: admin@example.com||
-- person: grace@example.com|Grace|
CREATE TABLE realm (id varchar(36) NOT NULL PRIMARY KEY, enabled boolean NOT NULL DEFAULT false, name varchar(255));
CREATE TABLE user_entity (id varchar(36) NOT NULL PRIMARY KEY, email varchar(255), email_constraint varchar(255), email_verified boolean NOT NULL DEFAULT false, enabled boolean NOT NULL DEFAULT false, federation_link varchar(255), first_name varchar(255), last_name varchar(255),
  realm_id varchar(255), username varchar(255), created_timestamp bigint, service_account_client_link varchar(255), not_before integer NOT NULL DEFAULT 0);
CREATE TABLE user_attribute (name varchar(255) NOT NULL, value varchar(255), user_id varchar(36) NOT NULL REFERENCES user_entity (id), id varchar(36) NOT NULL DEFAULT 'x' PRIMARY KEY);
INSERT INTO realm VALUES ('r-master', true, 'master'), ('r-shop', true, 'shop');
INSERT INTO user_entity (id, email, email_verified, enabled, first_name, last_name, realm_id, username, service_account_client_link) VALUES ('00000000-0000-4000-8000-000000000001', 'admin@example.com', true, true, NULL, NULL, 'r-master', 'admin', NULL),
  ('00000000-0000-4000-8000-000000000002', 'ada@example.com', true, true, 'Ada', 'Lovelace', 'r-shop', 'ada', NULL), ('00000000-0000-4000-8000-000000000003', 'grace@example.com', true, true, 'Grace', NULL, 'r-shop', 'grace77', NULL),
  ('00000000-0000-4000-8000-000000000004', 'new@example.com', false, true, 'New', NULL, 'r-shop', 'new', NULL), ('00000000-0000-4000-8000-000000000005', 'off@example.com', true, false, 'Off', NULL, 'r-shop', 'off', NULL),
  ('00000000-0000-4000-8000-000000000006', 'service@example.com', true, true, NULL, NULL, 'r-shop', 'service-account-api', 'client-1');
