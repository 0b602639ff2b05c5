-- application: Laravel
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace||
-- init: table users
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter email_verified_at IS NOT NULL
-- init: filter deleted_at IS NULL
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|
CREATE TABLE users (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(255) NOT NULL, email varchar(255) NOT NULL UNIQUE, email_verified_at timestamp NULL, password varchar(255) NOT NULL, remember_token varchar(100), created_at timestamp NULL, updated_at timestamp NULL, deleted_at timestamp NULL);
CREATE TABLE password_reset_tokens (email varchar(255) NOT NULL PRIMARY KEY, token varchar(255) NOT NULL, created_at timestamp NULL);
CREATE TABLE sessions (id varchar(255) NOT NULL PRIMARY KEY, user_id bigint unsigned, ip_address varchar(45), user_agent text, payload longtext NOT NULL, last_activity int NOT NULL);
INSERT INTO users (id, name, email, email_verified_at, password, created_at, updated_at, deleted_at) VALUES (1, 'Ada Lovelace', 'ada@example.com', '2024-01-01', 'x', '2024-01-01', '2024-01-01', NULL), (2, 'Grace', 'grace@example.com', '2024-01-01', 'x', '2024-01-01', '2024-01-01', NULL),
  (3, 'New Person', 'new@example.com', NULL, 'x', '2024-01-01', '2024-01-01', NULL), (4, 'Gone Person', 'gone@example.com', '2024-01-01', 'x', '2024-01-01', '2024-01-01', '2024-02-01');
INSERT INTO password_reset_tokens VALUES ('ada@example.com', 'x', '2024-01-01');
