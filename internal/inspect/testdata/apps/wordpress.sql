-- application: WordPress
-- dialect: mysql
-- note: Guessed: wp_usermeta belongs to wp_users (the name of user_id does, no foreign key): the names are rows of a key and a value
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace||
-- contact: editor@example.com|||
-- init: table wp_users
-- init: key ID
-- init: address user_email
-- init: names first_name
-- init: names last_name
-- person: ada@example.com|Ada|Lovelace
-- person: editor@example.com||
-- person: grace@example.com|Grace|
CREATE TABLE wp_users (ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_login varchar(60) NOT NULL DEFAULT '', user_pass varchar(255) NOT NULL DEFAULT '',
  user_nicename varchar(50) NOT NULL DEFAULT '', user_email varchar(100) NOT NULL DEFAULT '', user_url varchar(100) NOT NULL DEFAULT '',
  user_registered datetime NOT NULL DEFAULT '2024-01-01 00:00:00', user_activation_key varchar(255) NOT NULL DEFAULT '', user_status int NOT NULL DEFAULT 0,
  display_name varchar(250) NOT NULL DEFAULT '', KEY user_email (user_email));
CREATE TABLE wp_usermeta (umeta_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned NOT NULL DEFAULT 0, meta_key varchar(255), meta_value longtext,
  KEY user_id (user_id), KEY meta_key (meta_key(191)));
CREATE TABLE wp_comments (comment_ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, comment_post_ID bigint unsigned NOT NULL DEFAULT 0, comment_author text NOT NULL,
  comment_author_email varchar(100) NOT NULL DEFAULT '', comment_approved varchar(20) NOT NULL DEFAULT '1', user_id bigint unsigned NOT NULL DEFAULT 0);
INSERT INTO wp_users (ID, user_login, user_pass, user_nicename, user_email, display_name) VALUES
  (1, 'ada', 'x', 'ada', 'ada@example.com', 'Ada Lovelace'), (2, 'grace77', 'x', 'grace77', 'grace@example.com', 'grace77'), (3, 'editor', 'x', 'editor', 'editor@example.com', 'editor');
INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES
  (1, 'nickname', 'ada'), (1, 'first_name', 'Ada'), (1, 'last_name', 'Lovelace'), (1, 'wp_capabilities', 'a:1:{s:10:"subscriber";b:1;}'),
  (2, 'nickname', 'grace77'), (2, 'first_name', 'Grace'), (2, 'last_name', ''), (3, 'nickname', 'editor'), (3, 'first_name', ''), (3, 'last_name', '');
INSERT INTO wp_comments (comment_post_ID, comment_author, comment_author_email) VALUES (1, 'A passer-by', 'passerby@example.com');
