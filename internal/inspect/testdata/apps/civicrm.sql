-- application: CiviCRM
-- dialect: mysql
-- contact: ada@example.com|Ada|Lovelace|news
-- contact: grace@example.com|Grace|Hopper|
-- contact: alan@example.com|Alan|Turing|
-- init: table civicrm_contact
-- init: key id
-- init: address civicrm_email.email
-- init: names first_name
-- init: names last_name
-- init: filter c.is_deleted = 0
-- init: filter c.is_deceased = 0
-- init: filter c.contact_type = 'Individual'
-- init: filter e.on_hold = 0
-- init: topic subscribed
-- person: ada@example.com|Ada|Lovelace|yes
-- person: alan@example.com|Alan|Turing|
-- person: grace@example.com|Grace|Hopper|
CREATE TABLE civicrm_contact (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, contact_type varchar(64), external_identifier varchar(64), display_name varchar(128), organization_name varchar(128), first_name varchar(64), middle_name varchar(64), last_name varchar(64),
  do_not_email tinyint DEFAULT 0, do_not_phone tinyint DEFAULT 0, do_not_mail tinyint DEFAULT 0, is_opt_out tinyint NOT NULL DEFAULT 0, is_deceased tinyint NOT NULL DEFAULT 0, is_deleted tinyint NOT NULL DEFAULT 0, created_date timestamp NULL, modified_date timestamp NULL);
CREATE TABLE civicrm_email (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, contact_id int unsigned, location_type_id int unsigned, email varchar(254), is_primary tinyint DEFAULT 0, is_billing tinyint DEFAULT 0, on_hold int unsigned NOT NULL DEFAULT 0, is_bulkmail tinyint NOT NULL DEFAULT 0,
  CONSTRAINT c FOREIGN KEY (contact_id) REFERENCES civicrm_contact (id) ON DELETE CASCADE);
CREATE TABLE civicrm_uf_match (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, uf_id int unsigned NOT NULL, uf_name varchar(128), contact_id int unsigned);
INSERT INTO civicrm_contact (id, contact_type, display_name, organization_name, first_name, last_name, do_not_email, is_opt_out, is_deceased, is_deleted) VALUES (1, 'Organization', 'Charity', 'Charity', NULL, NULL, 0, 0, 0, 0),
  (2, 'Individual', 'Ada Lovelace', NULL, 'Ada', 'Lovelace', 0, 0, 0, 0), (3, 'Individual', 'Grace Hopper', NULL, 'Grace', 'Hopper', 0, 1, 0, 0), (4, 'Individual', 'Alan Turing', NULL, 'Alan', 'Turing', 1, 0, 0, 0),
  (5, 'Individual', 'Gone Person', NULL, 'Gone', 'Person', 0, 0, 0, 1), (6, 'Individual', 'Dead Person', NULL, 'Dead', 'Person', 0, 0, 1, 0), (7, 'Individual', 'On Hold', NULL, 'On', 'Hold', 0, 0, 0, 0);
INSERT INTO civicrm_email (contact_id, email, is_primary, on_hold) VALUES (1, 'office@example.org', 1, 0), (2, 'ada@example.com', 1, 0), (2, 'ada.work@example.com', 0, 0), (3, 'grace@example.com', 1, 0), (4, 'alan@example.com', 1, 0),
  (5, 'gone@example.com', 1, 0), (6, 'dead@example.com', 1, 0), (7, 'bounces@example.com', 1, 1);
