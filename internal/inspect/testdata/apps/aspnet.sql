-- application: ASP.NET Core Identity
-- dialect: postgres
-- dialect: sqlite
-- init: table AspNetUsers
-- init: key Id
-- init: address Email
-- init: names first_name
-- init: filter u."EmailConfirmed"
-- person: ada@example.com|Ada|
-- person: grace@example.com||
CREATE TABLE "AspNetRoles" ("Id" varchar(128) NOT NULL PRIMARY KEY, "Name" varchar(256));
CREATE TABLE "AspNetUsers" ("Id" varchar(128) NOT NULL PRIMARY KEY, "UserName" varchar(256), "NormalizedUserName" varchar(256), "Email" varchar(256), "NormalizedEmail" varchar(256), "EmailConfirmed" boolean NOT NULL, "PasswordHash" text, "PhoneNumber" varchar(50), "TwoFactorEnabled" boolean NOT NULL, "LockoutEnd" timestamp NULL, "LockoutEnabled" boolean NOT NULL, "AccessFailedCount" integer NOT NULL);
CREATE TABLE "AspNetUserClaims" ("Id" integer NOT NULL PRIMARY KEY, "UserId" varchar(128) NOT NULL, "ClaimType" varchar(255), "ClaimValue" varchar(255), FOREIGN KEY ("UserId") REFERENCES "AspNetUsers" ("Id"));
INSERT INTO "AspNetUsers" ("Id", "UserName", "NormalizedUserName", "Email", "NormalizedEmail", "EmailConfirmed", "TwoFactorEnabled", "LockoutEnabled", "AccessFailedCount") VALUES ('u1', 'ada@example.com', 'ADA@EXAMPLE.COM', 'ada@example.com', 'ADA@EXAMPLE.COM', true, false, true, 0), ('u2', 'grace77', 'GRACE77', 'grace@example.com', 'GRACE@EXAMPLE.COM', true, false, true, 0), ('u3', 'new', 'NEW', 'new@example.com', 'NEW@EXAMPLE.COM', false, false, true, 0);
INSERT INTO "AspNetUserClaims" VALUES (1, 'u1', 'given_name', 'Ada');
