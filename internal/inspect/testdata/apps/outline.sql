-- application: Outline
-- dialect: postgres
-- dialect: sqlite
-- init: table users
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter email IS NOT NULL
-- init: filter "deletedAt" IS NULL
-- init: filter "suspendedAt" IS NULL
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|
CREATE TABLE users (id varchar(36) NOT NULL PRIMARY KEY, email varchar(255), name varchar(255) NOT NULL, role varchar(20), "suspendedAt" timestamp NULL, "deletedAt" timestamp NULL, "teamId" varchar(36), "lastActiveAt" timestamp NULL);
CREATE TABLE teams (id varchar(36) NOT NULL PRIMARY KEY, name varchar(255));
CREATE TABLE user_authentications (id varchar(36) NOT NULL PRIMARY KEY, "userId" varchar(36) NOT NULL, "providerId" varchar(255));
INSERT INTO users (id, email, name, role, "suspendedAt", "deletedAt") VALUES ('u1', 'ada@example.com', 'Ada Lovelace', 'member', NULL, NULL), ('u2', 'grace@example.com', 'Grace', 'viewer', NULL, NULL), ('u3', 'troll@example.com', 'A Troll', 'member', '2024-01-01 00:00:00', NULL), ('u4', NULL, 'Gone Person', 'member', NULL, '2024-01-01 00:00:00');
