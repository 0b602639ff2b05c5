-- application: Shopware
-- dialect: mysql
-- init: runner-up newsletter_recipient
-- init: table customer
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter c.active <> 0
-- init: filter c.guest = 0
-- init: topic newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE `user` (id binary(16) NOT NULL PRIMARY KEY, username varchar(255) NOT NULL, password varchar(255) NOT NULL, first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL, email varchar(255) NOT NULL, active tinyint NOT NULL DEFAULT 0, admin tinyint);
CREATE TABLE customer (id binary(16) NOT NULL PRIMARY KEY, customer_number varchar(255) NOT NULL, first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL, email varchar(254) NOT NULL, active tinyint NOT NULL DEFAULT 1, guest tinyint NOT NULL DEFAULT 0, double_opt_in_registration tinyint NOT NULL DEFAULT 0, created_at datetime(3) NOT NULL, updated_at datetime(3));
CREATE TABLE newsletter_recipient (id binary(16) NOT NULL PRIMARY KEY, email varchar(255) NOT NULL, first_name varchar(255), last_name varchar(255), status varchar(255) NOT NULL, hash varchar(255) NOT NULL, confirmed_at datetime(3));
INSERT INTO `user` VALUES (UNHEX('00000000000000000000000000000001'), 'admin', 'x', 'Shop', 'Admin', 'admin@example.com', 1, 1);
INSERT INTO customer (id, customer_number, first_name, last_name, email, active, guest, created_at) VALUES (UNHEX('00000000000000000000000000000011'), '10001', 'Ada', 'Lovelace', 'ada@example.com', 1, 0, '2024-01-01'), (UNHEX('00000000000000000000000000000012'), '10002', 'Grace', 'Hopper', 'grace@example.com', 1, 0, '2024-01-01'), (UNHEX('00000000000000000000000000000013'), '10003', 'Off', 'Person', 'off@example.com', 0, 0, '2024-01-01');
INSERT INTO newsletter_recipient (id, email, status, hash) VALUES (UNHEX('00000000000000000000000000000021'), 'ada@example.com', 'direct', 'x'), (UNHEX('00000000000000000000000000000022'), 'visitor@example.com', 'optIn', 'x');
