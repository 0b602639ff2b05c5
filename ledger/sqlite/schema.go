package sqlite

import (
	"embed"
	"io/fs"
)

// The migrations are numbered in their order, and each sets user_version to its number.
//
//go:embed migrations/*.sql
var embedded embed.FS

var migrations = must(fs.Sub(embedded, "migrations"))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
