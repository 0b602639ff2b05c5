-- application: Gitea
-- dialect: postgres
-- dialect: sqlite
-- init: table user
-- init: key id
-- init: address email
-- init: whole name full_name
-- init: filter is_active
-- init: filter NOT prohibit_login
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE TABLE "user" (id integer PRIMARY KEY, lower_name varchar(255) NOT NULL, name varchar(255) NOT NULL, full_name varchar(255), email varchar(255) NOT NULL, keep_email_private boolean, passwd varchar(255) NOT NULL, type integer, is_active boolean, is_admin boolean, is_restricted boolean NOT NULL DEFAULT false, prohibit_login boolean NOT NULL DEFAULT false);
CREATE TABLE email_address (id integer PRIMARY KEY, uid integer NOT NULL, email varchar(255) NOT NULL, lower_email varchar(255) NOT NULL, is_activated boolean, is_primary boolean NOT NULL DEFAULT false);
INSERT INTO "user" VALUES (1, 'ada', 'ada', 'Ada Lovelace', 'ada@example.com', false, 'x', 0, true, true, false, false), (2, 'grace77', 'grace77', 'Grace Hopper', 'grace@example.com', false, 'x', 0, true, false, false, false), (3, 'troll', 'troll', 'A Troll', 'troll@example.com', false, 'x', 0, true, false, false, true);
INSERT INTO email_address VALUES (1, 1, 'ada@example.com', 'ada@example.com', true, true), (2, 1, 'ada.work@example.com', 'ada.work@example.com', true, false), (3, 2, 'grace@example.com', 'grace@example.com', true, true), (4, 3, 'troll@example.com', 'troll@example.com', true, true);
