-- application: Django
-- dialect: sqlite
-- dialect: mysql
-- init: table auth_user
-- init: key id
-- init: address email
-- init: names first_name
-- init: names last_name
-- init: filter email <> ''
-- init: filter is_active
-- init: filter NOT is_staff
-- person: ada@example.com|Ada|Lovelace
CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY, password varchar(128) NOT NULL, last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL);
CREATE TABLE auth_group (id integer NOT NULL PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE django_admin_log (id integer NOT NULL PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), object_repr varchar(200) NOT NULL);
INSERT INTO auth_user VALUES (1, 'x', NULL, 1, 'root', '', 'root@example.com', 1, 1, '2024-01-01', ''), (2, 'x', NULL, 0, 'ada', 'Lovelace', 'ada@example.com', 0, 1, '2024-01-01', 'Ada'), (3, 'x', NULL, 0, 'off', 'Person', 'off@example.com', 0, 0, '2024-01-01', 'Off'), (4, 'x', NULL, 0, 'noaddress', '', '', 0, 1, '2024-01-01', '');
