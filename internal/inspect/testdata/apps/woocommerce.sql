-- application: WooCommerce
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|
-- contact: guest@example.com|Grace|Hopper|
-- init: table wp_wc_customer_lookup
-- init: key customer_id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter email IS NOT NULL
-- person: ada@example.com|Ada|Lovelace
-- person: guest@example.com|Grace|Hopper
CREATE TABLE wp_users (ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_login varchar(60) NOT NULL DEFAULT '', user_pass varchar(255) NOT NULL DEFAULT '',
  user_email varchar(100) NOT NULL DEFAULT '', user_registered datetime NOT NULL DEFAULT '2024-01-01 00:00:00', user_status int NOT NULL DEFAULT 0, display_name varchar(250) NOT NULL DEFAULT '');
CREATE TABLE wp_usermeta (umeta_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned NOT NULL DEFAULT 0, meta_key varchar(255), meta_value longtext);
CREATE TABLE wp_wc_customer_lookup (customer_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned, username varchar(60) NOT NULL DEFAULT '',
  first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL, email varchar(100), date_last_active timestamp NULL, date_registered timestamp NULL,
  country char(2) NOT NULL DEFAULT '', postcode varchar(20) NOT NULL DEFAULT '', city varchar(100) NOT NULL DEFAULT '', state varchar(100) NOT NULL DEFAULT '',
  UNIQUE KEY user_id (user_id), KEY email (email));
INSERT INTO wp_users (ID, user_login, user_email, display_name) VALUES (1, 'shopowner', 'owner@example.com', 'Shop'), (2, 'ada', 'ada@example.com', 'ada');
INSERT INTO wp_wc_customer_lookup (customer_id, user_id, username, first_name, last_name, email, date_registered, country) VALUES
  (1, 2, 'ada', 'Ada', 'Lovelace', 'ada@example.com', '2024-02-01 10:00:00', 'GB'), (2, NULL, '', 'Grace', 'Hopper', 'guest@example.com', NULL, 'US'), (3, NULL, '', 'Nobody', '', NULL, NULL, '');
