-- application: tenants
-- dialect: postgres
-- note: Other schemas have a table of this name, such as tenant_002 (29 in all)
-- init: table tenant_001.users
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- person: ada1@example.com|Ada|Lovelace
CREATE SCHEMA tenant_001;
CREATE TABLE tenant_001.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_001.users VALUES (1, 'ada1@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_002;
CREATE TABLE tenant_002.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_002.users VALUES (1, 'ada2@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_003;
CREATE TABLE tenant_003.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_003.users VALUES (1, 'ada3@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_004;
CREATE TABLE tenant_004.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_004.users VALUES (1, 'ada4@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_005;
CREATE TABLE tenant_005.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_005.users VALUES (1, 'ada5@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_006;
CREATE TABLE tenant_006.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_006.users VALUES (1, 'ada6@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_007;
CREATE TABLE tenant_007.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_007.users VALUES (1, 'ada7@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_008;
CREATE TABLE tenant_008.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_008.users VALUES (1, 'ada8@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_009;
CREATE TABLE tenant_009.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_009.users VALUES (1, 'ada9@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_010;
CREATE TABLE tenant_010.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_010.users VALUES (1, 'ada10@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_011;
CREATE TABLE tenant_011.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_011.users VALUES (1, 'ada11@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_012;
CREATE TABLE tenant_012.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_012.users VALUES (1, 'ada12@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_013;
CREATE TABLE tenant_013.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_013.users VALUES (1, 'ada13@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_014;
CREATE TABLE tenant_014.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_014.users VALUES (1, 'ada14@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_015;
CREATE TABLE tenant_015.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_015.users VALUES (1, 'ada15@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_016;
CREATE TABLE tenant_016.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_016.users VALUES (1, 'ada16@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_017;
CREATE TABLE tenant_017.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_017.users VALUES (1, 'ada17@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_018;
CREATE TABLE tenant_018.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_018.users VALUES (1, 'ada18@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_019;
CREATE TABLE tenant_019.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_019.users VALUES (1, 'ada19@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_020;
CREATE TABLE tenant_020.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_020.users VALUES (1, 'ada20@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_021;
CREATE TABLE tenant_021.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_021.users VALUES (1, 'ada21@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_022;
CREATE TABLE tenant_022.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_022.users VALUES (1, 'ada22@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_023;
CREATE TABLE tenant_023.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_023.users VALUES (1, 'ada23@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_024;
CREATE TABLE tenant_024.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_024.users VALUES (1, 'ada24@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_025;
CREATE TABLE tenant_025.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_025.users VALUES (1, 'ada25@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_026;
CREATE TABLE tenant_026.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_026.users VALUES (1, 'ada26@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_027;
CREATE TABLE tenant_027.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_027.users VALUES (1, 'ada27@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_028;
CREATE TABLE tenant_028.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_028.users VALUES (1, 'ada28@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_029;
CREATE TABLE tenant_029.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_029.users VALUES (1, 'ada29@example.com', 'Ada Lovelace');
CREATE SCHEMA tenant_030;
CREATE TABLE tenant_030.users (id integer PRIMARY KEY, email varchar(200) NOT NULL, name varchar(100));
INSERT INTO tenant_030.users VALUES (1, 'ada30@example.com', 'Ada Lovelace');
