-- application: Saleor
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table account_user
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter is_confirmed
-- init: filter is_active
-- init: filter NOT is_staff
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|
CREATE TABLE account_user (id integer NOT NULL PRIMARY KEY, is_superuser boolean NOT NULL, email varchar(254) NOT NULL UNIQUE, is_staff boolean NOT NULL, is_active boolean NOT NULL, is_confirmed boolean NOT NULL, password varchar(128) NOT NULL, date_joined timestamp NULL, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL, note text, uuid varchar(36));
CREATE TABLE account_customerevent (id integer NOT NULL PRIMARY KEY, type varchar(255) NOT NULL, user_id integer);
CREATE TABLE account_staffnotificationrecipient (id integer NOT NULL PRIMARY KEY, staff_email varchar(254), active boolean NOT NULL, user_id integer);
INSERT INTO account_user (id, is_superuser, email, is_staff, is_active, is_confirmed, password, first_name, last_name) VALUES (1, true, 'admin@example.com', true, true, true, 'x', 'Shop', 'Admin'), (2, false, 'ada@example.com', false, true, true, 'x', 'Ada', 'Lovelace'), (3, false, 'grace@example.com', false, true, true, 'x', 'Grace', ''), (4, false, 'new@example.com', false, true, false, 'x', '', ''), (5, false, 'closed@example.com', false, false, true, 'x', '', '');
INSERT INTO account_staffnotificationrecipient VALUES (1, 'orders@example.com', true, 1);
