-- application: TYPO3
-- dialect: postgres
-- dialect: sqlite
-- init: table fe_users
-- init: key uid
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter deleted = 0
-- init: filter disable = 0
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE TABLE be_users (uid integer NOT NULL PRIMARY KEY, username varchar(50) NOT NULL, password varchar(255) NOT NULL, admin smallint NOT NULL, email varchar(255) NOT NULL, "realName" varchar(80) NOT NULL, disable smallint NOT NULL, deleted smallint NOT NULL);
CREATE TABLE fe_users (uid integer NOT NULL PRIMARY KEY, pid integer NOT NULL, username varchar(255) NOT NULL, password varchar(255) NOT NULL, name varchar(160) NOT NULL, first_name varchar(50) NOT NULL, last_name varchar(50) NOT NULL, email varchar(255) NOT NULL, company varchar(80), disable smallint NOT NULL, deleted smallint NOT NULL, mail_active smallint NOT NULL);
INSERT INTO be_users VALUES (1, 'admin', 'x', 1, 'admin@example.com', 'Site Admin', 0, 0);
INSERT INTO fe_users (uid, pid, username, password, name, first_name, last_name, email, disable, deleted, mail_active) VALUES (1, 1, 'ada', 'x', '', 'Ada', 'Lovelace', 'ada@example.com', 0, 0, 1), (2, 1, 'grace77', 'x', '', 'Grace', 'Hopper', 'grace@example.com', 0, 0, 0), (3, 1, 'off', 'x', '', 'Off', 'Person', 'off@example.com', 1, 0, 1), (4, 1, 'gone', 'x', '', 'Gone', 'Person', 'gone@example.com', 0, 1, 1);
