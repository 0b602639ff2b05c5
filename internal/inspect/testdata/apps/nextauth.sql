-- application: Auth.js with Prisma
-- dialect: postgres
-- note: (OAuth) may have no emailVerified
-- init: table User
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter email IS NOT NULL
-- init: filter "emailVerified" IS NOT NULL
-- person: ada@example.com|Ada|Lovelace
CREATE TABLE "User" (id text PRIMARY KEY, name text, email text UNIQUE, "emailVerified" timestamp(3), image text, "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL DEFAULT now());
CREATE TABLE "Account" ("userId" text NOT NULL REFERENCES "User" (id) ON DELETE CASCADE, type text NOT NULL, provider text NOT NULL, "providerAccountId" text NOT NULL, refresh_token text, access_token text, PRIMARY KEY (provider, "providerAccountId"));
CREATE TABLE "Session" ("sessionToken" text PRIMARY KEY, "userId" text NOT NULL REFERENCES "User" (id) ON DELETE CASCADE, expires timestamp(3) NOT NULL);
CREATE TABLE "VerificationToken" (identifier text NOT NULL, token text NOT NULL, expires timestamp(3) NOT NULL, PRIMARY KEY (identifier, token));
INSERT INTO "User" (id, name, email, "emailVerified") VALUES ('clx1', 'Dr. Ada Lovelace', 'ada@example.com', '2024-01-01'), ('clx2', 'Grace Hopper', 'grace@example.com', NULL), ('clx3', 'Alan Turing', NULL, NULL);
INSERT INTO "Account" VALUES ('clx2', 'oauth', 'google', '1', NULL, NULL);
