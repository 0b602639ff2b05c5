-- application: Sylius
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table sylius_customer
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: topic subscribed_to_newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE sylius_customer (id integer NOT NULL PRIMARY KEY, email varchar(255) NOT NULL UNIQUE, email_canonical varchar(255) NOT NULL, first_name varchar(255), last_name varchar(255), gender varchar(1) NOT NULL, subscribed_to_newsletter boolean NOT NULL, created_at timestamp NULL);
CREATE TABLE sylius_shop_user (id integer NOT NULL PRIMARY KEY, customer_id integer NOT NULL UNIQUE REFERENCES sylius_customer (id), username varchar(255), password varchar(255), enabled boolean NOT NULL, locked boolean NOT NULL, verified_at timestamp NULL, roles text);
CREATE TABLE sylius_admin_user (id integer NOT NULL PRIMARY KEY, username varchar(255), email varchar(255), password varchar(255), enabled boolean NOT NULL, locked boolean NOT NULL, first_name varchar(255), last_name varchar(255), roles text);
INSERT INTO sylius_admin_user (id, username, email, password, enabled, locked, first_name, last_name) VALUES (1, 'admin', 'admin@example.com', 'x', true, false, 'Shop', 'Admin');
INSERT INTO sylius_customer (id, email, email_canonical, first_name, last_name, gender, subscribed_to_newsletter) VALUES (1, 'ada@example.com', 'ada@example.com', 'Ada', 'Lovelace', 'f', true), (2, 'grace@example.com', 'grace@example.com', 'Grace', 'Hopper', 'f', false);
