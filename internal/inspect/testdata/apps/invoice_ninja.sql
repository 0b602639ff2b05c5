-- application: Invoice Ninja
-- dialect: mysql
-- init: table client_contacts
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter deleted_at IS NULL
-- init: filter is_locked = 0
-- person: ada@example.com|Ada|Lovelace
CREATE TABLE users (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, first_name varchar(191), last_name varchar(191), email varchar(191), password varchar(191), remember_token varchar(100), email_verified_at timestamp NULL, deleted_at timestamp NULL);
CREATE TABLE clients (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(191), user_id int unsigned NOT NULL, deleted_at timestamp NULL, CONSTRAINT cu FOREIGN KEY (user_id) REFERENCES users (id));
CREATE TABLE client_contacts (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, client_id int unsigned NOT NULL, first_name varchar(191), last_name varchar(191), email varchar(100), send_email tinyint NOT NULL DEFAULT 1, is_locked tinyint NOT NULL DEFAULT 0, deleted_at timestamp NULL, CONSTRAINT cc FOREIGN KEY (client_id) REFERENCES clients (id));
INSERT INTO users (first_name, last_name, email, password) VALUES ('Shop', 'Owner', 'owner@example.com', 'x');
INSERT INTO clients (name, user_id) VALUES ('A Client', 1);
INSERT INTO client_contacts (client_id, first_name, last_name, email, is_locked, deleted_at) VALUES (1, 'Ada', 'Lovelace', 'ada@example.com', 0, NULL), (1, 'Gone', 'Person', 'gone@example.com', 0, '2024-02-01'), (1, 'Locked', 'Person', 'locked@example.com', 1, NULL);
