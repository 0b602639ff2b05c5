package statement_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/statement"
)

var names = []string{"email", "contact_id", "topic"}

func TestBind(t *testing.T) {
	t.Parallel()
	pg, my, lite := statement.Postgres, statement.MySQL, statement.SQLite
	for _, c := range []struct {
		text   string
		in     statement.Lexicon
		sql    string
		params []string
		counts bool
	}{
		{"UPDATE users SET newsletter = false WHERE lower(email) = :email AND :topic = 't1'", pg, "UPDATE users SET newsletter = false WHERE lower(email) = $1 AND $2 = 't1'", []string{"email", "topic"}, true},
		{"update u set a=0 where e=:email or f=:email", my, "update u set a=0 where e=? or f=?", []string{"email", "email"}, true},
		{"UPDATE u SET a=0 WHERE e=:email::citext", pg, "UPDATE u SET a=0 WHERE e=$1::citext", []string{"email"}, true},
		{"UPDATE u SET a = ':email', \":topic\" = 1, b = $$:topic$$, c = E'\\':topic' -- :topic\n /* :topic /* :topic */ :topic */ WHERE e = :email", pg,
			"UPDATE u SET a = ':email', \":topic\" = 1, b = $$:topic$$, c = E'\\':topic' -- :topic\n /* :topic /* :topic */ :topic */ WHERE e = $1", []string{"email"}, true},
		{"UPDATE u SET a = '\\':topic', `:topic` = 1 # :topic\n WHERE e = :email", my, "UPDATE u SET a = '\\':topic', `:topic` = 1 # :topic\n WHERE e = ?", []string{"email"}, true},
		{"UPDATE u SET [:topic] = 'it''s :topic' WHERE e = :email", lite, "UPDATE u SET [:topic] = 'it''s :topic' WHERE e = ?", []string{"email"}, true},
		{";; INSERT INTO gone (e, t) VALUES (:email,:topic) ; -- done", lite, "INSERT INTO gone (e, t) VALUES (?,?)", []string{"email", "topic"}, true},
		{"CALL unsubscribe(:contact_id, @x := :topic)", my, "CALL unsubscribe(?, @x := ?)", []string{"contact_id", "topic"}, false},
		{"DELETE FROM subs WHERE e = :email RETURNING id", pg, "DELETE FROM subs WHERE e = $1 RETURNING id", []string{"email"}, true},
		{"WITH p AS (SELECT id FROM u WHERE e = :email) UPDATE u SET a = false FROM p WHERE u.id = p.id", pg,
			"WITH p AS (SELECT id FROM u WHERE e = $1) UPDATE u SET a = false FROM p WHERE u.id = p.id", []string{"email"}, false},
		{"UPDATE u SET tags = tags[1 : 2], j = j ? 'a' WHERE e = :email", pg, "UPDATE u SET tags = tags[1 : 2], j = j ? 'a' WHERE e = $1", []string{"email"}, true},
		{"UPDATE u SET tags = tags[1:2], t = tags[:3] WHERE e = :email", pg, "UPDATE u SET tags = tags[1:2], t = tags[:3] WHERE e = $1", []string{"email"}, true},
		{"WITH x AS (DELETE FROM u WHERE e = :email RETURNING e) INSERT INTO gone SELECT e FROM x", pg,
			"WITH x AS (DELETE FROM u WHERE e = $1 RETURNING e) INSERT INTO gone SELECT e FROM x", []string{"email"}, false},
		{"UPDATE u SET a = (SELECT b FROM c WHERE d = e FOR UPDATE), b = coalesce((SELECT 1), (2)) WHERE e = :email", pg,
			"UPDATE u SET a = (SELECT b FROM c WHERE d = e FOR UPDATE), b = coalesce((SELECT 1), (2)) WHERE e = $1", []string{"email"}, true},
		{"INSERT INTO gone (e) VALUES (:email) ON CONFLICT (e) DO UPDATE SET n = gone.n + 1", pg,
			"INSERT INTO gone (e) VALUES ($1) ON CONFLICT (e) DO UPDATE SET n = gone.n + 1", []string{"email"}, true},
		{"WITH x AS (WITH y AS (SELECT 1) SELECT * FROM y FOR UPDATE) DELETE FROM u WHERE e = :email", pg,
			"WITH x AS (WITH y AS (SELECT 1) SELECT * FROM y FOR UPDATE) DELETE FROM u WHERE e = $1", []string{"email"}, false},
	} {
		got, err := statement.Bind(c.text, c.in, names)
		if err != nil || got.SQL != c.sql || !slices.Equal(got.Params, c.params) || got.Counts != c.counts {
			t.Errorf("%s:\n%+v, %v\nwant %s %v", c.text, got, err, c.sql, c.params)
		}
		if !got.Has("nothing", c.params[0]) || got.Has("nothing") {
			t.Errorf("%s: Has is wrong about %v", c.text, got.Params)
		}
	}
}

func TestBindRefuses(t *testing.T) {
	t.Parallel()
	pg, my, lite := statement.Postgres, statement.MySQL, statement.SQLite
	for _, c := range []struct {
		text    string
		in      statement.Lexicon
		want    string
		writing bool // it is no statement that writes
	}{
		{"", pg, "empty", true},
		{" ; -- UPDATE", pg, "empty", true},
		{"SELECT 1", pg, "begins with SELECT", true},
		{"DROP TABLE users", my, "begins with DROP", true},
		{"TRUNCATE users", pg, "begins with TRUNCATE", true},
		{"(UPDATE users SET a = 1 WHERE e = :email)", lite, "no word of SQL", true},
		{"'bob@example.com'", lite, "no word of SQL", true},
		{"UPDATE u SET a=1 WHERE e=:email; DROP TABLE u", pg, "several statements", true},
		{"UPDATE u SET a=1 WHERE e='\\'; DROP TABLE u; --'", lite, "several statements", true},
		{"WITH a AS (UPDATE u SET a=1 WHERE e=:email RETURNING id) SELECT * FROM a", pg, "leads to SELECT", true},
		{"WITH a AS (UPDATE u SET a=1 WHERE e=:email)", pg, "leads to none", true},
		{"UPDATE u SET a = :email", pg, "no WHERE", false},
		{"DELETE FROM u", my, "would delete every row", false},
		{"UPDATE u SET a = (SELECT b FROM c WHERE d = :email)", pg, "no WHERE", false},
		{"WITH x AS (DELETE FROM u RETURNING e) INSERT INTO gone SELECT e FROM x WHERE e = :email", pg, "would delete every row", false},
		{"WITH x AS (SELECT 1), y AS (UPDATE u SET a = (SELECT b FROM c WHERE d = 1) RETURNING e) UPDATE v SET a = 1 WHERE e = :email", pg, "would update every row", false},
		{"WITH x AS (WITH y AS (SELECT 1 WHERE true) DELETE FROM u RETURNING e) INSERT INTO gone SELECT e FROM x WHERE e = :email", pg, "would delete every row", false},
		{"WITH x AS (DELETE FROM u RETURNING e", pg, "would delete every row", false},
		{"WITH x AS (MERGE INTO u USING v ON true WHEN MATCHED THEN DELETE RETURNING e) DELETE FROM w WHERE e = :email", pg, "MERGE", true},
		{"UPDATE u SET a=1 WHERE e=:1", lite, "no parameter :1", false},
		{"UPDATE u SET a=1 WHERE e=:mail", pg, "no parameter :mail; there are :email, :contact_id, :topic", false},
		{"UPDATE u SET a=1 WHERE e=:Email", pg, "no parameter :Email", false},
		{"UPDATE u SET a=1 WHERE e=$1", pg, "placeholder", false},
		{"UPDATE u SET a=1 WHERE e=?", my, "placeholder", false},
		{"UPDATE u SET a=1 WHERE e=?1", lite, "placeholder", false},
		{"UPDATE u SET a=1 WHERE e=@email", lite, "placeholder", false},
		{"UPDATE u SET a=1 WHERE e=$email", lite, "placeholder", false},
	} {
		got, err := statement.Bind(c.text, c.in, names)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, statement.ErrNotWriting) != c.writing || strings.Contains(err.Error(), "bob@") {
			t.Errorf("%s: %+v, %v; want %q", c.text, got, err, c.want)
		}
	}
}

// FuzzBind checks that what is bound has as many placeholders as parameters, and no text makes it panic.
func FuzzBind(f *testing.F) {
	f.Add("UPDATE u SET a = ':x' WHERE e = :email")
	f.Add("WITH a AS (SELECT ':') INSERT INTO b VALUES (:topic::text, $a$:email$a$)")
	f.Add("CALL x(:")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range []statement.Lexicon{statement.Postgres, statement.MySQL, statement.SQLite} {
			b, err := statement.Bind(text, l, names)
			if err != nil {
				continue
			}
			if b.SQL == "" || len(b.Params) > strings.Count(text, ":") {
				t.Errorf("%q became %+v", text, b)
			}
			if again, err := statement.Bind(b.SQL, l, names); len(b.Params) == 0 && (err != nil || again.SQL != b.SQL) {
				t.Errorf("%q is not its own form: %+v, %v", b.SQL, again, err)
			}
		}
	})
}
