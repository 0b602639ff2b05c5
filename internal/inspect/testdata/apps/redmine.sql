-- application: Redmine
-- note: status holds numbers
-- dialect: postgres
-- dialect: mysql
-- dialect: sqlite
-- init: table users
-- init: key id
-- init: address email_addresses.address
-- init: names firstname
-- init: names lastname
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
-- person: locked@example.com|Locked|Person
CREATE TABLE users (id integer NOT NULL PRIMARY KEY, login varchar(255) NOT NULL, hashed_password varchar(40) NOT NULL, firstname varchar(30) NOT NULL, lastname varchar(255) NOT NULL, admin boolean NOT NULL, status integer NOT NULL, last_login_on timestamp NULL, type varchar(255));
CREATE TABLE email_addresses (id integer NOT NULL PRIMARY KEY, user_id integer NOT NULL, address varchar(255) NOT NULL, is_default boolean NOT NULL, notify boolean NOT NULL);
CREATE TABLE members (id integer NOT NULL PRIMARY KEY, user_id integer NOT NULL, project_id integer NOT NULL, mail_notification boolean NOT NULL);
INSERT INTO users (id, login, hashed_password, firstname, lastname, admin, status, type) VALUES (1, 'ada', 'x', 'Ada', 'Lovelace', false, 1, 'User'), (2, 'grace77', 'x', 'Grace', 'Hopper', false, 1, 'User'), (3, '', '', '', 'Anonymous', false, 0, 'AnonymousUser'), (4, '', '', '', 'Developers', false, 1, 'Group'), (5, 'locked', 'x', 'Locked', 'Person', false, 3, 'User');
INSERT INTO email_addresses (id, user_id, address, is_default, notify) VALUES (1, 1, 'ada@example.com', true, true), (2, 1, 'ada.second@example.com', false, true), (3, 2, 'grace@example.com', true, true), (4, 5, 'locked@example.com', true, true);
