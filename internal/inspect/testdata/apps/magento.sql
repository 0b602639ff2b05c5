-- application: Magento
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace|Hopper|
-- contact: alan@example.com|Alan|Turing|
-- init: table customer_entity
-- init: key entity_id
-- init: address email
-- init: names firstname
-- init: names lastname
-- init: filter c.is_active <> 0
-- init: topic newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: alan@example.com|Alan|Turing|
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE admin_user (user_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, firstname varchar(32), lastname varchar(32), email varchar(128), username varchar(40), password varchar(255) NOT NULL, is_active smallint NOT NULL DEFAULT 1);
CREATE TABLE customer_entity (entity_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, website_id smallint unsigned, email varchar(255), group_id smallint unsigned NOT NULL DEFAULT 0, increment_id varchar(50), store_id smallint unsigned DEFAULT 0,
  created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, is_active smallint unsigned NOT NULL DEFAULT 1, prefix varchar(40), firstname varchar(255), middlename varchar(255), lastname varchar(255),
  dob date, password_hash varchar(128), UNIQUE KEY (email, website_id));
CREATE TABLE newsletter_subscriber (subscriber_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, store_id smallint unsigned DEFAULT 0, change_status_at timestamp NULL, customer_id int unsigned NOT NULL DEFAULT 0, subscriber_email varchar(150),
  subscriber_status int NOT NULL DEFAULT 0, subscriber_confirm_code varchar(32) DEFAULT 'NULL', KEY (customer_id));
INSERT INTO admin_user (firstname, lastname, email, username, password) VALUES ('Shop', 'Admin', 'admin@example.com', 'admin', 'x');
INSERT INTO customer_entity (entity_id, website_id, email, firstname, lastname, is_active) VALUES (1, 1, 'ada@example.com', 'Ada', 'Lovelace', 1), (2, 1, 'grace@example.com', 'Grace', 'Hopper', 1), (3, 1, 'alan@example.com', 'Alan', 'Turing', 1), (4, 1, 'closed@example.com', 'Closed', 'Account', 0);
INSERT INTO newsletter_subscriber (customer_id, subscriber_email, subscriber_status) VALUES (1, 'ada@example.com', 1), (2, 'grace@example.com', 3), (3, 'alan@example.com', 4), (0, 'guest@example.com', 1);
