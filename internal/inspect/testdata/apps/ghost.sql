-- application: Ghost
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace||
-- contact: alan@example.com|Alan|Turing|
-- init: table members
-- init: key id
-- init: address email
-- init: whole name name
-- init: topic newsletter
-- person: ada@example.com|Ada|Lovelace|yes
-- person: alan@example.com|Alan|Turing|
-- person: grace@example.com|Grace||
CREATE TABLE users (id varchar(24) NOT NULL PRIMARY KEY, name varchar(191) NOT NULL, slug varchar(191) NOT NULL, password varchar(60) NOT NULL, email varchar(191) NOT NULL, status varchar(50) NOT NULL DEFAULT 'active', created_at datetime NOT NULL, UNIQUE KEY (email));
CREATE TABLE roles_users (id varchar(24) NOT NULL PRIMARY KEY, role_id varchar(24) NOT NULL, user_id varchar(24) NOT NULL);
CREATE TABLE members (id varchar(24) NOT NULL PRIMARY KEY, uuid varchar(36), email varchar(191) NOT NULL, status varchar(50) NOT NULL DEFAULT 'free', name varchar(191), expertise varchar(191), note varchar(2000), geolocation varchar(2000),
  enable_comment_notifications tinyint NOT NULL DEFAULT 1, email_count int unsigned NOT NULL DEFAULT 0, email_disabled tinyint NOT NULL DEFAULT 0, created_at datetime NOT NULL, updated_at datetime, UNIQUE KEY (email));
CREATE TABLE newsletters (id varchar(24) NOT NULL PRIMARY KEY, name varchar(191) NOT NULL, slug varchar(191) NOT NULL, status varchar(50) NOT NULL DEFAULT 'active', sender_email varchar(191), created_at datetime NOT NULL);
CREATE TABLE members_newsletters (id varchar(24) NOT NULL PRIMARY KEY, member_id varchar(24) NOT NULL, newsletter_id varchar(24) NOT NULL,
  CONSTRAINT m FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE, CONSTRAINT n FOREIGN KEY (newsletter_id) REFERENCES newsletters (id) ON DELETE CASCADE);
INSERT INTO users VALUES ('5951f5fca366002ebd5dbef7', 'Site Owner', 'owner', 'x', 'owner@example.com', 'active', '2024-01-01');
INSERT INTO members (id, email, name, email_disabled, created_at) VALUES ('65a000000000000000000001', 'ada@example.com', 'Ada Lovelace', 0, '2024-01-01'), ('65a000000000000000000002', 'grace@example.com', 'Grace', 0, '2024-01-01'),
  ('65a000000000000000000003', 'alan@example.com', 'Alan Turing', 1, '2024-01-01');
INSERT INTO newsletters VALUES ('64b000000000000000000001', 'Weekly', 'weekly', 'active', NULL, '2024-01-01');
INSERT INTO members_newsletters VALUES ('66c000000000000000000001', '65a000000000000000000001', '64b000000000000000000001'), ('66c000000000000000000002', '65a000000000000000000003', '64b000000000000000000001');
