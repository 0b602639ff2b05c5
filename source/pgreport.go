package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/source/internal/pgask"
	"owlatsync/source/internal/pgfault"
)

// unnamedType begins the name of a type that the driver does not know.
const unnamedType = "type "

// nameTypes asks the server for the names of types that the driver does not know, such as those of enumerations. No rows can be
// read afterwards.
func (c *pgCursor) nameTypes(ctx context.Context) error {
	var unknown []string
	for _, col := range c.cols {
		if number, found := strings.CutPrefix(col.DatabaseType, unnamedType); found {
			unknown = append(unknown, number)
		}
	}
	if unknown == nil {
		return nil
	}
	names, err := pgask.TypeNames(ctx, c.lookUp, unknown)
	for i, col := range c.cols {
		if number, found := strings.CutPrefix(col.DatabaseType, unnamedType); found {
			c.cols[i].DatabaseType = cmp.Or(names[number], col.DatabaseType)
		}
	}
	return err
}

// refusedPrivilege is the code of the error for what a user may not do.
const refusedPrivilege = "42501"

// hidden asks the server to refuse the query if row-level security would leave rows out, and looks for the policies that do.
func (b *pgBackend) hidden(ctx context.Context) (string, error) {
	opened, err := b.open(ctx)
	if err != nil {
		return "", err
	}
	c := opened.(*pgCursor)
	defer c.close()
	user, err := pgask.RefuseHidden(ctx, c.lookUp)
	if err != nil {
		return "", err
	}
	_, err = c.conn.Prepare(ctx, "", b.query, nil)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &pg) || pg.Code != refusedPrivilege:
		return "", fmt.Errorf("ask about row-level security: %w", pgfault.Explain(err, ""))
	}
	again, err := b.openQuery(ctx, b.query)
	if err != nil {
		return "", err
	}
	defer again.close()
	tables, open, err := pgask.Policies(ctx, again.lookUp, b.query)
	if err != nil || open {
		return "", err
	}
	return fmt.Sprintf("row-level security may hide rows of %s from the database user %s, and a hidden row looks as if it were gone: let a user with BYPASSRLS read, "+
		"or give this one a policy that shows all rows, as by CREATE POLICY owlat_sync ON … FOR SELECT TO %s USING (true)",
		cmp.Or(strings.Join(tables, ", "), "what it reads"), user, user), nil
}
