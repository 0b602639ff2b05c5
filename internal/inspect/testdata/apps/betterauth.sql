-- application: Better Auth
-- dialect: postgres
-- dialect: sqlite
-- init: table user
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter "emailVerified"
-- init: filter banned IS NOT TRUE
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|
CREATE TABLE "user" (id varchar(36) NOT NULL PRIMARY KEY, name varchar(255) NOT NULL, email varchar(255) NOT NULL UNIQUE, "emailVerified" boolean NOT NULL, image varchar(255), role varchar(50), banned boolean, "createdAt" timestamp NULL);
CREATE TABLE session (id varchar(36) NOT NULL PRIMARY KEY, "userId" varchar(36) NOT NULL REFERENCES "user" (id), token varchar(255) NOT NULL UNIQUE, "ipAddress" varchar(100));
CREATE TABLE account (id varchar(36) NOT NULL PRIMARY KEY, "accountId" varchar(255) NOT NULL, "providerId" varchar(255) NOT NULL, "userId" varchar(36) NOT NULL REFERENCES "user" (id), password varchar(255));
CREATE TABLE verification (id varchar(36) NOT NULL PRIMARY KEY, identifier varchar(255) NOT NULL, value varchar(255) NOT NULL);
INSERT INTO "user" (id, name, email, "emailVerified", banned) VALUES ('u1', 'Ada Lovelace', 'ada@example.com', true, false), ('u2', 'Grace', 'grace@example.com', true, NULL), ('u3', 'New Person', 'new@example.com', false, NULL), ('u4', 'A Troll', 'troll@example.com', true, true);
