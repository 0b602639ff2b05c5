-- application: side tables
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table users
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE TABLE deleted_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO deleted_users VALUES (1, 'deleted.users@example.com', 'Ada', 'Lovelace'), (2, 'x.deleted.users@example.com', 'Grace', 'Hopper');
CREATE TABLE old_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO old_users VALUES (1, 'old.users@example.com', 'Ada', 'Lovelace'), (2, 'x.old.users@example.com', 'Grace', 'Hopper');
CREATE TABLE archived_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO archived_users VALUES (1, 'archived.users@example.com', 'Ada', 'Lovelace'), (2, 'x.archived.users@example.com', 'Grace', 'Hopper');
CREATE TABLE admin_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO admin_users VALUES (1, 'admin.users@example.com', 'Ada', 'Lovelace'), (2, 'x.admin.users@example.com', 'Grace', 'Hopper');
CREATE TABLE test_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO test_users VALUES (1, 'test.users@example.com', 'Ada', 'Lovelace'), (2, 'x.test.users@example.com', 'Grace', 'Hopper');
CREATE TABLE tmp_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO tmp_users VALUES (1, 'tmp.users@example.com', 'Ada', 'Lovelace'), (2, 'x.tmp.users@example.com', 'Grace', 'Hopper');
CREATE TABLE backup_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO backup_users VALUES (1, 'backup.users@example.com', 'Ada', 'Lovelace'), (2, 'x.backup.users@example.com', 'Grace', 'Hopper');
CREATE TABLE company_users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO company_users VALUES (1, 'company.users@example.com', 'Ada', 'Lovelace'), (2, 'x.company.users@example.com', 'Grace', 'Hopper');
CREATE TABLE users (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO users VALUES (1, 'ada@example.com', 'Ada', 'Lovelace'), (2, 'grace@example.com', 'Grace', 'Hopper');
CREATE TABLE users_old (id integer NOT NULL PRIMARY KEY, email varchar(200) NOT NULL, first_name varchar(100), last_name varchar(100));
INSERT INTO users_old VALUES (1, 'users.old@example.com', 'Ada', 'Lovelace'), (2, 'x.users.old@example.com', 'Grace', 'Hopper');
