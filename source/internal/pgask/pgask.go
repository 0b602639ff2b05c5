// Package pgask asks a PostgreSQL server about a query: what its types are called, which tables it reads, and whether row-level
// security hides rows of them. It also makes the settings of a connection string those of a transaction.
package pgask

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// LookUp returns the few rows of a query as texts.
type LookUp func(ctx context.Context, query string) ([][]string, error)

// TakeSettings takes the settings of the server out of what is said at the connection, because a pooler refuses them there. It
// returns the statement that makes them for a transaction, empty if there are none.
func TakeSettings(config *pgconn.Config) string {
	var sets []string
	for _, name := range slices.Sorted(maps.Keys(config.RuntimeParams)) {
		if name == "application_name" || name == "options" {
			continue
		}
		sets = append(sets, fmt.Sprintf("set_config(%s, %s, true)", literal(name), literal(config.RuntimeParams[name])))
		delete(config.RuntimeParams, name)
	}
	if len(sets) == 0 {
		return ""
	}
	return "SELECT " + strings.Join(sets, ", ")
}

// literal quotes a text, whatever the server takes for a backslash.
func literal(text string) string {
	return " E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// TypeNames returns the names of types by their numbers.
func TypeNames(ctx context.Context, ask LookUp, numbers []string) (map[string]string, error) {
	found, err := ask(ctx, "SELECT oid, format_type(oid, NULL) FROM pg_type WHERE oid IN ("+strings.Join(numbers, ", ")+")")
	if err != nil {
		return nil, fmt.Errorf("ask for the names of types: %w", err)
	}
	names := make(map[string]string, len(found))
	for _, f := range found {
		names[f[0]] = f[1]
	}
	return names, nil
}

// RefuseHidden makes the server refuse, for the rest of the transaction, a query whose rows row-level security would hide. It
// returns the name of the database user.
func RefuseHidden(ctx context.Context, ask LookUp) (user string, err error) {
	found, err := ask(ctx, "SELECT current_user, set_config('row_security', 'off', true)")
	if err != nil {
		return "", fmt.Errorf("ask about row-level security: %w", err)
	}
	return found[0][0], nil
}

// policies tells of one table whether policies apply to the user, and whether they show every row all the same.
const policies = `SELECT row_security_active(c.oid), coalesce(bool_or(p.polpermissive AND pg_get_expr(p.polqual, p.polrelid) = 'true'), false)
  AND NOT coalesce(bool_or(NOT p.polpermissive), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polcmd IN ('r', '*')
  AND EXISTS (SELECT 1 FROM unnest(p.polroles) AS r WHERE r = 0 OR pg_has_role(r, 'USAGE'))
WHERE n.nspname = %s AND c.relname = %s GROUP BY c.oid`

// Policies returns the tables of a query whose policies may hide rows. Open says that the policies of all its tables show every
// row. A query that the server does not plan gives no tables, and the transaction is then of no more use.
func Policies(ctx context.Context, ask LookUp, query string) (tables []string, open bool, err error) {
	read, err := relations(ctx, ask, query)
	if err != nil {
		return nil, false, nil // a policy may call what only works in the application
	}
	guarded := 0
	for _, r := range read {
		found, err := ask(ctx, fmt.Sprintf(policies, literal(r[0]), literal(r[1])))
		if err != nil {
			return nil, false, fmt.Errorf("ask about row-level security: %w", err)
		}
		for _, f := range found {
			if f[0] != "t" {
				continue
			}
			if guarded++; f[1] != "t" {
				tables = append(tables, r[1])
			}
		}
	}
	return tables, guarded > 0 && len(tables) == 0, nil
}

// relations returns schema and name of the tables that a query reads, through views too.
func relations(ctx context.Context, ask LookUp, query string) (read [][2]string, err error) {
	err = VisitPlan(ctx, ask, "EXPLAIN (FORMAT JSON, VERBOSE, COSTS OFF) "+query, func(node map[string]any) {
		schema, _ := node["Schema"].(string)
		name, found := node["Relation Name"].(string)
		if r := [2]string{schema, name}; found && !slices.Contains(read, r) {
			read = append(read, r)
		}
	})
	return read, err
}

// VisitPlan visits every object of a plan in JSON, which MySQL gives too.
func VisitPlan(ctx context.Context, ask LookUp, query string, visit func(map[string]any)) error {
	found, err := ask(ctx, query)
	if err != nil || len(found) == 0 {
		return fmt.Errorf("ask how the query is carried out: %w", err)
	}
	var plan any
	if err := json.Unmarshal([]byte(found[0][0]), &plan); err != nil {
		return fmt.Errorf("read how the query is carried out: %w", err)
	}
	var walk func(any)
	walk = func(at any) {
		switch node := at.(type) {
		case map[string]any:
			visit(node)
			for _, below := range node {
				walk(below)
			}
		case []any:
			for _, below := range node {
				walk(below)
			}
		}
	}
	walk(plan)
	return nil
}
