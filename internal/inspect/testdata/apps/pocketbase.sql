-- application: PocketBase
-- dialect: sqlite
-- init: table users
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter verified
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE TABLE _superusers (id TEXT PRIMARY KEY NOT NULL, email TEXT NOT NULL DEFAULT '', password TEXT NOT NULL DEFAULT '', tokenKey TEXT NOT NULL DEFAULT '', verified BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE users (id TEXT PRIMARY KEY NOT NULL, email TEXT NOT NULL DEFAULT '', emailVisibility BOOLEAN NOT NULL DEFAULT FALSE, password TEXT NOT NULL DEFAULT '', tokenKey TEXT NOT NULL DEFAULT '', verified BOOLEAN NOT NULL DEFAULT FALSE, name TEXT NOT NULL DEFAULT '', avatar TEXT NOT NULL DEFAULT '', created TEXT NOT NULL DEFAULT '', updated TEXT NOT NULL DEFAULT '');
INSERT INTO _superusers (id, email, verified) VALUES ('s1', 'admin@example.com', 1);
INSERT INTO users (id, email, verified, name) VALUES ('u00000000000001', 'ada@example.com', 1, 'Prof. Ada Lovelace'), ('u00000000000002', 'new@example.com', 0, 'New Person'), ('u00000000000003', 'grace@example.com', 1, 'Grace Hopper');
