-- application: OpenCart
-- dialect: mysql
-- init: runner-up oc_user
-- init: table oc_customer
-- init: key customer_id
-- init: address email
-- init: names firstname
-- init: names lastname
-- init: filter status = 1
-- init: topic newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE oc_user (user_id int NOT NULL AUTO_INCREMENT PRIMARY KEY, user_group_id int NOT NULL, username varchar(20) NOT NULL, password varchar(255) NOT NULL, firstname varchar(32) NOT NULL, lastname varchar(32) NOT NULL, email varchar(96) NOT NULL, status tinyint NOT NULL);
CREATE TABLE oc_customer (customer_id int NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_group_id int NOT NULL, firstname varchar(32) NOT NULL, lastname varchar(32) NOT NULL, email varchar(96) NOT NULL, password varchar(255) NOT NULL, newsletter tinyint NOT NULL DEFAULT 0, status tinyint NOT NULL, safe tinyint NOT NULL, date_added datetime NOT NULL);
INSERT INTO oc_user VALUES (1, 1, 'admin', 'x', 'Shop', 'Admin', 'admin@example.com', 1);
INSERT INTO oc_customer (customer_group_id, firstname, lastname, email, password, newsletter, status, safe, date_added) VALUES (1, 'Ada', 'Lovelace', 'ada@example.com', 'x', 1, 1, 0, '2024-01-01'), (1, 'Grace', 'Hopper', 'grace@example.com', 'x', 0, 1, 0, '2024-01-01'), (1, 'Off', 'Person', 'off@example.com', 'x', 1, 0, 0, '2024-01-01');
