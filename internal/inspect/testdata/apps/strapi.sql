-- application: Strapi
-- dialect: postgres
-- init: table up_users
-- init: key id
-- init: address email
-- init: filter confirmed
-- init: filter blocked IS NOT TRUE
-- person: ada@example.com||
CREATE TABLE admin_users (id serial PRIMARY KEY, firstname varchar(255), lastname varchar(255), username varchar(255), email varchar(255), password varchar(255), reset_password_token varchar(255), is_active boolean, blocked boolean, created_at timestamp);
CREATE TABLE up_users (id serial PRIMARY KEY, username varchar(255), email varchar(255), provider varchar(255), password varchar(255), reset_password_token varchar(255), confirmation_token varchar(255), confirmed boolean, blocked boolean, created_at timestamp, updated_at timestamp);
CREATE TABLE up_roles (id serial PRIMARY KEY, name varchar(255), description varchar(255), type varchar(255));
CREATE TABLE up_users_role_lnk (id serial PRIMARY KEY, user_id integer REFERENCES up_users (id), role_id integer REFERENCES up_roles (id));
INSERT INTO admin_users (firstname, lastname, email, password, is_active, blocked) VALUES ('Site', 'Admin', 'admin@example.com', 'x', true, false);
INSERT INTO up_users (username, email, provider, password, confirmed, blocked) VALUES ('ada', 'ada@example.com', 'local', 'x', true, false), ('troll', 'troll@example.com', 'local', 'x', true, true), ('new', 'new@example.com', 'local', 'x', false, false);
