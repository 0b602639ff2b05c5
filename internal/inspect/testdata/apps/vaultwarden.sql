-- application: Vaultwarden
-- dialect: sqlite
-- init: table users
-- init: key uuid
-- init: address email
-- init: whole name name
-- init: filter verified_at IS NOT NULL
-- init: filter enabled
-- person: ada@example.com|Ada|Lovelace
CREATE TABLE users (uuid TEXT NOT NULL PRIMARY KEY, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password_hash BLOB NOT NULL, enabled BOOLEAN NOT NULL DEFAULT 1, verified_at DATETIME DEFAULT NULL, email_new TEXT DEFAULT NULL, totp_secret TEXT);
CREATE TABLE invitations (email TEXT NOT NULL PRIMARY KEY);
CREATE TABLE emergency_access (uuid TEXT NOT NULL PRIMARY KEY, grantor_uuid TEXT REFERENCES users (uuid), email TEXT);
INSERT INTO users (uuid, created_at, updated_at, email, name, password_hash, enabled, verified_at) VALUES ('00000000-0000-4000-8000-000000000001', '2024-01-01', '2024-01-01', 'ada@example.com', 'Ada Lovelace', X'00', 1, '2024-01-01'), ('00000000-0000-4000-8000-000000000002', '2024-01-01', '2024-01-01', 'off@example.com', 'Off Person', X'00', 0, '2024-01-01');
INSERT INTO invitations VALUES ('invited@example.com');
