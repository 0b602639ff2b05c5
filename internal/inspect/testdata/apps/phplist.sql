-- application: phpList
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table phplist_user_user
-- init: key id
-- init: address email
-- init: filter confirmed <> 0
-- init: filter COALESCE(disabled, 0) = 0
-- init: topic optedin_consent
-- person: ada@example.com|||yes
-- person: grace@example.com|||
-- person: left@example.com|||
CREATE TABLE phplist_admin (id integer NOT NULL PRIMARY KEY, loginname varchar(66) NOT NULL, email varchar(255) NOT NULL, password varchar(255), superuser smallint, disabled smallint);
CREATE TABLE phplist_user_user (id integer NOT NULL PRIMARY KEY, email varchar(255) NOT NULL UNIQUE, confirmed smallint, blacklisted smallint, optedin smallint, bouncecount integer, uniqid varchar(255), htmlemail smallint, disabled smallint);
CREATE TABLE phplist_user_blacklist (email varchar(255) NOT NULL UNIQUE, added timestamp NULL);
INSERT INTO phplist_admin VALUES (1, 'admin', 'admin@example.com', 'x', 1, 0);
INSERT INTO phplist_user_user (id, email, confirmed, blacklisted, optedin, bouncecount, htmlemail, disabled) VALUES (1, 'ada@example.com', 1, 0, 1, 0, 1, 0), (2, 'grace@example.com', 1, 0, 0, 0, 1, 0), (3, 'new@example.com', 0, 0, 0, 0, 1, 0), (4, 'left@example.com', 1, 1, 1, 0, 1, 0);
INSERT INTO phplist_user_blacklist (email) VALUES ('left@example.com');
