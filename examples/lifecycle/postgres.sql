-- What the service has.
CREATE TABLE users (
  id bigint PRIMARY KEY, email text NOT NULL, first_name text, plan text NOT NULL, trial_ends_at timestamptz, deleted_at timestamptz
);
CREATE TABLE projects (id bigint PRIMARY KEY, owner bigint NOT NULL REFERENCES users);
CREATE TABLE payments (
  id bigint PRIMARY KEY, payer bigint NOT NULL REFERENCES users, amount bigint NOT NULL, currency text NOT NULL, paid_at timestamptz
);

-- What events follow from. Whoever has a project is activated; a trial that has ended does not end soon.
CREATE VIEW lifecycle AS
SELECT id, email, first_name, plan,
       EXISTS (SELECT FROM projects WHERE owner = users.id) AS activated,
       plan = 'trial' AND trial_ends_at BETWEEN now() AND now() + interval '3 days' AS trial_ends_soon,
       CAST(ceil(extract(epoch FROM trial_ends_at - now()) / 86400) AS bigint) AS days_left
FROM users
WHERE deleted_at IS NULL;

CREATE VIEW payments_made AS
SELECT payments.id, email, paid_at, amount, currency
FROM payments JOIN users ON users.id = payer
WHERE paid_at IS NOT NULL;
