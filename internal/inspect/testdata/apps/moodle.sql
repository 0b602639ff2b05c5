-- application: Moodle
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace|Hopper|
-- init: table mdl_user
-- init: key id
-- init: address email
-- init: names firstname
-- init: names lastname
-- init: filter confirmed <> 0
-- init: filter deleted = 0
-- init: filter suspended = 0
-- init: topic subscribed
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|yes
-- person: quiet@example.com|Quiet|Person|
-- person: root@example.org|Guest user||yes
CREATE TABLE mdl_user (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, auth varchar(20) NOT NULL DEFAULT 'manual', confirmed tinyint NOT NULL DEFAULT 0, policyagreed tinyint NOT NULL DEFAULT 0, deleted tinyint NOT NULL DEFAULT 0, suspended tinyint NOT NULL DEFAULT 0,
  mnethostid bigint NOT NULL DEFAULT 0, username varchar(100) NOT NULL DEFAULT '', password varchar(255) NOT NULL DEFAULT '', idnumber varchar(255) NOT NULL DEFAULT '', firstname varchar(100) NOT NULL DEFAULT '', lastname varchar(100) NOT NULL DEFAULT '', email varchar(100) NOT NULL DEFAULT '',
  emailstop tinyint NOT NULL DEFAULT 0, lang varchar(30) NOT NULL DEFAULT 'en', timecreated bigint NOT NULL DEFAULT 0, timemodified bigint NOT NULL DEFAULT 0);
INSERT INTO mdl_user (id, confirmed, deleted, suspended, username, firstname, lastname, email, emailstop) VALUES (1, 1, 0, 0, 'guest', 'Guest user', ' ', 'root@example.org', 0), (2, 1, 0, 0, 'ada', 'Ada', 'Lovelace', 'ada@example.com', 0),
  (3, 1, 0, 0, 'grace77', 'Grace', 'Hopper', 'grace@example.com', 0), (4, 1, 1, 0, 'gone@example.com.1700000000', 'Gone', 'Person', 'd41d8cd98f00b204', 0), (5, 1, 0, 1, 'off', 'Off', 'Person', 'off@example.com', 0),
  (6, 0, 0, 0, 'new', 'New', 'Person', 'new@example.com', 0), (7, 1, 0, 0, 'quiet', 'Quiet', 'Person', 'quiet@example.com', 1);
