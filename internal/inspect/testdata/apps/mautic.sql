-- application: Mautic
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace|Hopper|
-- init: table leads
-- init: key id
-- init: address email
-- init: names firstname
-- init: names lastname
-- init: filter l.email IS NOT NULL
-- init: filter l.is_published <> 0
-- init: topic subscribed
-- person: ada@example.com|Ada|Lovelace|yes
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE users (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, role_id int unsigned NOT NULL, is_published tinyint NOT NULL, username varchar(191) NOT NULL, password varchar(64) NOT NULL, first_name varchar(191) NOT NULL, last_name varchar(191) NOT NULL, email varchar(191) NOT NULL);
CREATE TABLE leads (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, owner_id int unsigned, is_published tinyint NOT NULL, date_added datetime, date_modified datetime, points int NOT NULL DEFAULT 0, date_identified datetime,
  preferred_profile_image varchar(191), title varchar(191), firstname varchar(191), lastname varchar(191), company varchar(191), email varchar(191), phone varchar(191), KEY email_search (email));
CREATE TABLE lead_donotcontact (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, lead_id bigint unsigned, date_added datetime NOT NULL, reason smallint NOT NULL, channel varchar(191) NOT NULL, channel_id int, comments longtext,
  CONSTRAINT l FOREIGN KEY (lead_id) REFERENCES leads (id) ON DELETE CASCADE);
INSERT INTO users VALUES (1, 1, 1, 'admin', 'x', 'Site', 'Admin', 'admin@example.com');
INSERT INTO leads (id, is_published, date_added, date_identified, firstname, lastname, email) VALUES (1, 1, '2024-01-01', '2024-01-01', 'Ada', 'Lovelace', 'ada@example.com'), (2, 1, '2024-01-01', '2024-01-01', 'Grace', 'Hopper', 'grace@example.com'),
  (3, 1, '2024-01-01', NULL, NULL, NULL, NULL);
INSERT INTO lead_donotcontact (lead_id, date_added, reason, channel) VALUES (2, '2024-02-01', 1, 'email'), (1, '2024-02-01', 3, 'sms');
