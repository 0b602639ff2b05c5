-- What the service has.
CREATE TABLE users (
  id INTEGER PRIMARY KEY, email TEXT NOT NULL, first_name TEXT, plan TEXT NOT NULL, trial_ends_at TEXT, deleted_at TEXT
);
CREATE TABLE projects (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES users);
CREATE TABLE payments (
  id INTEGER PRIMARY KEY, payer INTEGER NOT NULL REFERENCES users, amount INTEGER NOT NULL, currency TEXT NOT NULL, paid_at TEXT
);

-- What events follow from. Whoever has a project is activated; a trial that has ended does not end soon.
CREATE VIEW lifecycle AS
SELECT id, email, first_name, plan,
       EXISTS (SELECT 1 FROM projects WHERE owner = users.id) AS activated,
       plan = 'trial' AND julianday(trial_ends_at) BETWEEN julianday('now') AND julianday('now', '+3 days') AS trial_ends_soon,
       CAST(ceil(julianday(trial_ends_at) - julianday('now')) AS INTEGER) AS days_left
FROM users
WHERE deleted_at IS NULL;

CREATE VIEW payments_made AS
SELECT payments.id, email, paid_at, amount, currency
FROM payments JOIN users ON users.id = payer
WHERE paid_at IS NOT NULL;
