-- application: Nextcloud
-- scattered: oc_preferences
-- scattered: SELECT userid AS id, configvalue AS email FROM oc_preferences WHERE configkey = 'email' AND appid = '…'
-- dialect: postgres
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace||
CREATE TABLE oc_users (uid varchar(64) NOT NULL DEFAULT '' PRIMARY KEY, displayname varchar(64), password varchar(255) NOT NULL DEFAULT '', uid_lower varchar(64) DEFAULT '');
CREATE TABLE oc_preferences (userid varchar(64) NOT NULL DEFAULT '', appid varchar(32) NOT NULL DEFAULT '', configkey varchar(64) NOT NULL DEFAULT '', configvalue text, PRIMARY KEY (userid, appid, configkey));
CREATE TABLE oc_accounts_data (id bigserial PRIMARY KEY, uid varchar(64) NOT NULL, name varchar(64) NOT NULL, value varchar(255) DEFAULT '');
INSERT INTO oc_users (uid, displayname, password) VALUES ('ada', 'Ada Lovelace', 'x'), ('grace77', 'Grace', 'x'), ('gone', 'Gone Person', 'x'), ('noaddress', 'No Address', 'x');
INSERT INTO oc_preferences VALUES ('ada', 'settings', 'email', 'ada@example.com'), ('ada', 'core', 'lang', 'en'), ('grace77', 'settings', 'email', 'grace@example.com'), ('grace77', 'core', 'enabled', 'true'),
  ('gone', 'settings', 'email', 'gone@example.com'), ('gone', 'core', 'enabled', 'false'), ('noaddress', 'core', 'lang', 'de');
INSERT INTO oc_accounts_data (uid, name, value) VALUES ('ada', 'displayname', 'Ada Lovelace'), ('ada', 'email', 'ada@example.com'), ('grace77', 'email', 'grace@example.com');
