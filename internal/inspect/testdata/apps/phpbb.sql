-- application: phpBB
-- dialect: mysql
-- init: table phpbb_users
-- init: key user_id
-- init: address user_email
-- init: filter user_email <> ''
-- init: topic user_allow_massemail
-- person: ada@example.com|||yes
-- person: grace@example.com|||
CREATE TABLE phpbb_users (user_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_type tinyint NOT NULL DEFAULT 0, group_id mediumint unsigned NOT NULL DEFAULT 3, username varchar(255) NOT NULL DEFAULT '', username_clean varchar(255) NOT NULL DEFAULT '', user_password varchar(255) NOT NULL DEFAULT '', user_email varchar(100) NOT NULL DEFAULT '',
  user_inactive_reason tinyint NOT NULL DEFAULT 0, user_allow_massemail tinyint unsigned NOT NULL DEFAULT 1, user_allow_viewemail tinyint unsigned NOT NULL DEFAULT 1);
CREATE TABLE phpbb_banlist (ban_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, ban_userid int unsigned NOT NULL DEFAULT 0, ban_email varchar(100) NOT NULL DEFAULT '');
INSERT INTO phpbb_users (user_id, user_type, username, user_email, user_allow_massemail) VALUES (1, 2, 'Anonymous', '', 0), (2, 3, 'ada', 'ada@example.com', 1), (3, 0, 'grace77', 'grace@example.com', 0);
INSERT INTO phpbb_banlist (ban_email) VALUES ('troll@example.com');
