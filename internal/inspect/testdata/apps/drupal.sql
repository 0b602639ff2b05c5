-- application: Drupal
-- dialect: mysql
-- contact: ada@example.com|Ada||
-- contact: grace@example.com|||
-- init: table users_field_data
-- init: key uid
-- init: address mail
-- init: names first_name
-- init: filter u.default_langcode <> 0
-- init: filter u.mail IS NOT NULL
-- init: filter u.status = 1
-- person: ada@example.com|Ada|
-- person: grace@example.com||
CREATE TABLE users (uid int unsigned NOT NULL PRIMARY KEY, uuid varchar(128) NOT NULL, langcode varchar(12) NOT NULL, UNIQUE KEY uuid (uuid));
CREATE TABLE users_field_data (uid int unsigned NOT NULL, langcode varchar(12) NOT NULL, preferred_langcode varchar(12), preferred_admin_langcode varchar(12), name varchar(60) NOT NULL,
  pass varchar(255), mail varchar(254), timezone varchar(32), status tinyint, created int NOT NULL, changed int, access int NOT NULL DEFAULT 0, login int, init varchar(254),
  default_langcode tinyint NOT NULL, PRIMARY KEY (uid, langcode), KEY mail (mail));
CREATE TABLE user__field_first_name (bundle varchar(128) NOT NULL DEFAULT '', deleted tinyint NOT NULL DEFAULT 0, entity_id int unsigned NOT NULL, revision_id int unsigned NOT NULL, langcode varchar(32) NOT NULL DEFAULT '',
  delta int unsigned NOT NULL, field_first_name_value varchar(255) NOT NULL, PRIMARY KEY (entity_id, deleted, delta, langcode));
INSERT INTO users VALUES (0, 'u0', 'en'), (1, 'u1', 'en'), (2, 'u2', 'en'), (3, 'u3', 'en');
INSERT INTO users_field_data (uid, langcode, name, mail, status, created, changed, init, default_langcode) VALUES
  (0, 'en', '', NULL, 0, 0, 0, NULL, 1), (1, 'en', 'ada', 'ada@example.com', 1, 1700000000, 1700000000, 'ada@example.com', 1), (1, 'de', 'ada', 'ada@example.com', 1, 1700000000, 1700000000, 'ada@example.com', 0),
  (2, 'en', 'grace77', 'grace@example.com', 1, 1700000000, 1700000000, 'grace@example.com', 1), (3, 'en', 'spam', 'blocked@example.com', 0, 1700000000, 1700000000, 'blocked@example.com', 1);
INSERT INTO user__field_first_name VALUES ('user', 0, 1, 1, 'en', 0, 'Ada');
