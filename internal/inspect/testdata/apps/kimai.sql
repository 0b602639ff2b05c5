-- application: Kimai
-- dialect: sqlite
-- init: table kimai2_users
-- init: key id
-- init: address email
-- init: filter enabled
-- init: filter NOT system_account
-- person: ada@example.com||
CREATE TABLE kimai2_users (id INTEGER PRIMARY KEY, username VARCHAR(180) NOT NULL, email VARCHAR(180) NOT NULL, alias VARCHAR(60), enabled BOOLEAN NOT NULL, password VARCHAR(255) NOT NULL, roles TEXT NOT NULL, system_account BOOLEAN NOT NULL DEFAULT 0);
CREATE TABLE kimai2_customers (id INTEGER PRIMARY KEY, name VARCHAR(150) NOT NULL, email VARCHAR(75), visible BOOLEAN NOT NULL);
INSERT INTO kimai2_users VALUES (1, 'ada', 'ada@example.com', 'Ada Lovelace', 1, 'x', 'a:0:{}', 0), (2, 'robot', 'robot@example.com', NULL, 1, 'x', 'a:0:{}', 1), (3, 'off', 'off@example.com', NULL, 0, 'x', 'a:0:{}', 0);
