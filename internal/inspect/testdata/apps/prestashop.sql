-- application: PrestaShop
-- dialect: mysql
-- note: Guessed: ps_emailsubscription has the addresses that want mail
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace|Hopper|
-- init: table ps_customer
-- init: key id_customer
-- init: address email
-- init: names firstname
-- init: names lastname
-- init: filter c.active <> 0
-- init: filter c.deleted = 0
-- init: filter c.is_guest = 0
-- init: topic newsletter
-- init: topic optin
-- init: topic newsletter_2
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE ps_employee (id_employee int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_profile int unsigned NOT NULL, lastname varchar(255) NOT NULL, firstname varchar(255) NOT NULL, email varchar(255) NOT NULL, passwd varchar(255) NOT NULL, active tinyint unsigned NOT NULL DEFAULT 0);
CREATE TABLE ps_customer (id_customer int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_shop int unsigned NOT NULL DEFAULT 1, id_gender int unsigned NOT NULL DEFAULT 0, company varchar(255), firstname varchar(255) NOT NULL, lastname varchar(255) NOT NULL,
  email varchar(255) NOT NULL, passwd varchar(255) NOT NULL, birthday date, newsletter tinyint unsigned NOT NULL DEFAULT 0, ip_registration_newsletter varchar(15), newsletter_date_add datetime, optin tinyint unsigned NOT NULL DEFAULT 0,
  active tinyint unsigned NOT NULL DEFAULT 0, is_guest tinyint NOT NULL DEFAULT 0, deleted tinyint NOT NULL DEFAULT 0, date_add datetime NOT NULL, date_upd datetime NOT NULL, KEY customer_email (email));
CREATE TABLE ps_emailsubscription (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, id_shop int unsigned NOT NULL DEFAULT 1, id_shop_group int unsigned NOT NULL DEFAULT 1, email varchar(255) NOT NULL, newsletter_date_add datetime, active tinyint NOT NULL DEFAULT 0);
INSERT INTO ps_employee VALUES (1, 1, 'Admin', 'Shop', 'admin@example.com', 'x', 1);
INSERT INTO ps_customer (id_customer, firstname, lastname, email, passwd, newsletter, active, is_guest, deleted, date_add, date_upd) VALUES (1, 'Ada', 'Lovelace', 'ada@example.com', 'x', 1, 1, 0, 0, '2024-01-01', '2024-01-01'),
  (2, 'Grace', 'Hopper', 'grace@example.com', 'x', 0, 1, 0, 0, '2024-01-01', '2024-01-01'), (3, 'Anonymous', 'Anonymous', 'gone@example.com', 'x', 1, 1, 0, 1, '2024-01-01', '2024-01-01'), (4, 'Ada', 'Lovelace', 'ada@example.com', 'x', 0, 1, 1, 0, '2024-01-01', '2024-01-01');
INSERT INTO ps_emailsubscription (email, active) VALUES ('visitor@example.com', 1);
