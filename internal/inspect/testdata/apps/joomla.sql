-- application: Joomla
-- dialect: mysql
-- init: table jos_users
-- init: key id
-- init: address email
-- init: whole name name
-- init: filter block = 0
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE TABLE jos_users (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(400) NOT NULL DEFAULT '', username varchar(150) NOT NULL DEFAULT '', email varchar(100) NOT NULL DEFAULT '', password varchar(100) NOT NULL DEFAULT '', block tinyint NOT NULL DEFAULT 0, sendEmail tinyint DEFAULT 0, registerDate datetime NOT NULL, activation varchar(100) NOT NULL DEFAULT '', requireReset tinyint NOT NULL DEFAULT 0);
CREATE TABLE jos_contact_details (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(255) NOT NULL, email_to varchar(255), user_id int NOT NULL DEFAULT 0, published tinyint NOT NULL DEFAULT 0);
INSERT INTO jos_users (name, username, email, block, registerDate) VALUES ('Ada Lovelace', 'ada', 'ada@example.com', 0, '2024-01-01'), ('Grace Hopper', 'grace77', 'grace@example.com', 0, '2024-01-01'), ('A Troll', 'troll', 'troll@example.com', 1, '2024-01-01');
INSERT INTO jos_contact_details (name, email_to, published) VALUES ('Office', 'office@example.org', 1);
