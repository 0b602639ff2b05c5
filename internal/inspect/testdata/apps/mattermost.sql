-- application: Mattermost
-- dialect: postgres
-- dialect: mysql
-- init: table users
-- init: key id
-- init: address email
-- init: names firstname
-- init: names lastname
-- init: filter emailverified
-- init: filter COALESCE(deleteat, 0) = 0
-- init: topic allowmarketing
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace||
CREATE TABLE users (id varchar(26) NOT NULL PRIMARY KEY, createat bigint, updateat bigint, deleteat bigint, username varchar(64) UNIQUE, password varchar(128), authdata varchar(128) UNIQUE, email varchar(128) UNIQUE, emailverified boolean, nickname varchar(64), firstname varchar(64), lastname varchar(64), roles varchar(256), allowmarketing boolean);
CREATE TABLE bots (userid varchar(26) NOT NULL PRIMARY KEY, description varchar(1024), ownerid varchar(190));
INSERT INTO users (id, deleteat, username, email, emailverified, nickname, firstname, lastname, roles, allowmarketing) VALUES ('u1', 0, 'ada', 'ada@example.com', true, '', 'Ada', 'Lovelace', 'system_user', true), ('u2', 0, 'grace77', 'grace@example.com', true, '', 'Grace', '', 'system_user', false), ('u3', 1700000000000, 'gone', 'gone@example.com', true, '', 'Gone', 'Person', 'system_user', true), ('u4', 0, 'new', 'new@example.com', false, '', '', '', 'system_user', true);
