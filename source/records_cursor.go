package source

import (
	"context"
	"strconv"
	"time"

	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/wrap"
)

// Changing are records that can also be asked for what changed. A value of a cursor is a time.Time or an int64, or nil for none.
type Changing interface {
	Records
	// Text identifies what is read, without a secret.
	Text() string
	// OpenSince begins a scan of the records whose value in the column is not before since, or that have none there; of all if since is
	// nil. None begins a scan of no records instead; then the column may be empty, because only Again, Top and Count follow.
	OpenSince(ctx context.Context, column string, since any, none bool) (ChangingReader, error)
}

// ChangingReader is a scan that can go on, once all its records were read.
type ChangingReader interface {
	Reader
	// Again goes on with the records whose value in the column is before since, and whose values in the key's columns have these texts; an
	// empty column means all records with these keys.
	Again(ctx context.Context, column string, since any, key []string, values [][]string) error
	// Top returns the highest value in the column that is not before since: a time.Time, an int64, nil if there is none, or any other
	// value, which cannot be a cursor.
	Top(ctx context.Context, column string, since any) (any, error)
	// Count counts the records whose value in the column is not before since, at most most of them.
	Count(ctx context.Context, column string, since any, most int) (int, error)
	// Indexed reports whether the store finds records from a value on by an index.
	Indexed(ctx context.Context, column string, since any) (bool, error)
}

// recordFollower asks records for what changed.
type recordFollower struct {
	recordBackend
	changing Changing
}

func (f recordFollower) text() string { return f.changing.Text() }
func (f recordFollower) loose() bool  { return true }

func (f recordFollower) openChanged(ctx context.Context, from bound) (following, error) {
	return f.openSince(ctx, from, false)
}

func (f recordFollower) openNone(ctx context.Context, column string) (following, error) {
	return f.openSince(ctx, bound{Column: column}, true)
}

func (f recordFollower) openSince(ctx context.Context, from bound, none bool) (following, error) {
	reader, err := f.changing.OpenSince(ctx, from.Column, from.Value(), none)
	if err != nil {
		return nil, err
	}
	return &recordFollowing{f.cursor(ctx, reader), reader}, nil
}

// recordFollowing is a scan of records that can go on.
type recordFollowing struct {
	*recordCursor
	changing ChangingReader
}

func (c *recordFollowing) again(ctx context.Context, from bound, b *binding, keys []string) error {
	var names []string
	for _, at := range b.key {
		names = append(names, b.columns[at].Name)
	}
	return c.changing.Again(ctx, from.Column, from.Value(), names, split(keys, len(names)))
}

func (f recordFollower) look(ctx context.Context, do func(looking) error) error {
	reader, err := f.changing.OpenSince(ctx, "", nil, true)
	if err != nil {
		return err
	}
	defer reader.Close()
	return do(&recordFollowing{changing: reader})
}

func (c *recordFollowing) peak(ctx context.Context, from bound, k cell.Kind) (typ, text string, err error) {
	return c.top(ctx, from, k)
}

func (c *recordFollowing) count(ctx context.Context, from bound, most int) (int, error) {
	return c.changing.Count(ctx, from.Column, from.Value(), most)
}

func (c *recordFollowing) top(ctx context.Context, from bound, _ cell.Kind) (typ, text string, err error) {
	v, err := c.changing.Top(ctx, from.Column, from.Value())
	if err != nil || v == nil {
		return "", "", err
	}
	switch x := v.(type) {
	case time.Time:
		return "text", x.UTC().Format(wrap.MomentLayout), nil
	case int64:
		return "integer", strconv.FormatInt(x, 10), nil
	}
	return "other", "?", nil
}

func (c *recordFollowing) indexed(ctx context.Context, from bound) (bool, error) {
	return c.changing.Indexed(ctx, from.Column, from.Value())
}
