-- application: Sendy
-- dialect: postgres
-- dialect: sqlite
-- init: table subscribers
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter confirmed <> 0
-- init: filter COALESCE(bounced, 0) = 0
-- init: topic subscribed
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace||
CREATE TABLE login (id integer NOT NULL PRIMARY KEY, name varchar(100), company varchar(100), username varchar(100), password varchar(500));
CREATE TABLE lists (id integer NOT NULL PRIMARY KEY, app integer, name varchar(100));
CREATE TABLE subscribers (id integer NOT NULL PRIMARY KEY, "userID" integer, name varchar(100), email varchar(100), custom_fields text, list integer, unsubscribed integer, bounced integer, bounce_soft integer, complaint integer, last_campaign integer, confirmed integer, "timestamp" integer);
INSERT INTO login VALUES (1, 'Site Owner', 'Example', 'owner@example.com', 'x');
INSERT INTO subscribers (id, name, email, list, unsubscribed, bounced, complaint, confirmed) VALUES (1, 'Ada Lovelace', 'ada@example.com', 1, 0, 0, 0, 1), (2, 'Grace', 'grace@example.com', 1, 1, 0, 0, 1), (3, 'Bounced', 'bounced@example.com', 1, 0, 1, 0, 1), (4, '', 'new@example.com', 1, 0, 0, 0, 0);
