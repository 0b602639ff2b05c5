-- application: Spree
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table spree_users
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter confirmed_at IS NOT NULL
-- init: filter deleted_at IS NULL
-- init: topic accepts_email_marketing
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace||
CREATE TABLE spree_roles (id integer NOT NULL PRIMARY KEY, name varchar(255));
CREATE TABLE spree_addresses (id integer NOT NULL PRIMARY KEY, firstname varchar(255), lastname varchar(255), city varchar(255), user_id integer);
CREATE TABLE spree_users (id integer NOT NULL PRIMARY KEY, encrypted_password varchar(128), email varchar(255), first_name varchar(255), last_name varchar(255), login varchar(255), ship_address_id integer, bill_address_id integer, accepts_email_marketing boolean, deleted_at timestamp NULL, confirmed_at timestamp NULL);
CREATE TABLE spree_orders (id integer NOT NULL PRIMARY KEY, number varchar(32), user_id integer, email varchar(255));
INSERT INTO spree_users (id, email, first_name, last_name, accepts_email_marketing, deleted_at, confirmed_at) VALUES (1, 'ada@example.com', 'Ada', 'Lovelace', true, NULL, '2024-01-01 00:00:00'), (2, 'grace@example.com', 'Grace', NULL, false, NULL, '2024-01-01 00:00:00'), (3, 'gone@example.com', NULL, NULL, true, '2024-01-01 00:00:00', '2024-01-01 00:00:00');
INSERT INTO spree_orders VALUES (1, 'R1', NULL, 'guest@example.com'), (2, 'R2', 1, 'ada@example.com');
