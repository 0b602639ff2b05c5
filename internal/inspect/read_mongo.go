package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"owlatsync/source/mongo"
)

// sampleCollections is the most collections whose documents are looked at: nothing else tells which fields they have.
const sampleCollections = 200

// ReadMongo reads the collections of a database of MongoDB as tables. Their columns are the paths that their first documents have. It only
// reads.
func ReadMongo(ctx context.Context, db *driver.Database, look Look) (*Catalog, error) {
	names, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return nil, fmt.Errorf("list the database's collections: %w", err)
	}
	slices.Sort(names)
	c := &Catalog{Dialect: Mongo}
	for _, name := range names {
		if !usable(name) || strings.HasPrefix(name, "system.") {
			continue
		}
		if len(c.Tables) == sampleCollections {
			break
		}
		t := Table{Name: name, Key: []string{"_id"}}
		if err := t.sampleMongo(ctx, db.Collection(name), look.limit()); err != nil {
			return nil, err
		}
		c.Tables = append(c.Tables, t)
	}
	return c, nil
}

// sampleMongo reads the first documents of a collection. One that cannot be read stays without columns. Only the end of ctx is an error.
func (t *Table) sampleMongo(ctx context.Context, c *driver.Collection, limit time.Duration) error {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	n, err := t.readDocuments(within, c)
	if err == nil {
		var rows int64
		rows, err = c.CountDocuments(within, bson.D{}, options.Count().SetLimit(RowsCounted+1))
		t.Rows = int(rows)
	}
	if err != nil {
		t.Columns = nil
		return ctx.Err()
	}
	t.dropUnusable()
	for i := range t.Columns {
		col := &t.Columns[i]
		col.Nullable = col.Name != "_id"
		col.Nulls = n - len(col.Sample)
	}
	t.Sampled = true
	return t.markIndexes(ctx, c)
}

func (t *Table) readDocuments(ctx context.Context, c *driver.Collection) (n int, err error) {
	cur, err := c.Find(ctx, bson.D{}, options.Find().SetLimit(sampleRows))
	if err != nil {
		return 0, err
	}
	defer cur.Close(context.WithoutCancel(ctx))
	for ; cur.Next(ctx); n++ {
		mongo.Walk(cur.Current, func(path string, typ bson.Type, value any) { t.addValue(path, typ, value) })
	}
	return n, cur.Err()
}

// addValue adds a value of a document to the column of its path.
func (t *Table) addValue(path string, typ bson.Type, value any) {
	kind, text := mongoValue(typ, value)
	if value == nil {
		return
	}
	col := t.Column(path)
	if col == nil {
		t.Columns = append(t.Columns, Column{Name: path, Type: typ.String(), Kind: kind, Unique: path == "_id", Indexed: path == "_id"})
		col = &t.Columns[len(t.Columns)-1]
	}
	if col.Kind != kind {
		col.Kind = Any
	}
	if text != "" || kind == Text {
		col.Sample = append(col.Sample, text)
	}
}

func mongoValue(typ bson.Type, value any) (Kind, string) {
	switch x := value.(type) {
	case string:
		if typ == bson.TypeObjectID || typ == bson.TypeBinary {
			return UUID, x
		}
		return Text, x
	case bool:
		return Bool, strconv.FormatBool(x)
	case int64:
		return Number, strconv.FormatInt(x, 10)
	case float64:
		return Number, strconv.FormatFloat(x, 'f', -1, 64)
	case json.Number:
		return Number, x.String()
	case time.Time:
		return Time, x.UTC().Format(time.RFC3339Nano)
	}
	return Other, ""
}

// markIndexes notes which columns an index of all documents begins with. Without the right to list indexes none is known.
func (t *Table) markIndexes(ctx context.Context, c *driver.Collection) error {
	cur, err := c.Indexes().List(ctx)
	if err != nil {
		return ctx.Err()
	}
	defer cur.Close(context.WithoutCancel(ctx))
	for cur.Next(ctx) {
		keys, err := cur.Current.Lookup("key").Document().Elements()
		_, partial := cur.Current.LookupErr("partialFilterExpression")
		if err != nil || len(keys) == 0 || partial == nil {
			continue
		}
		if col := t.Column(keys[0].Key()); col != nil {
			unique, _ := cur.Current.Lookup("unique").BooleanOK()
			col.Indexed = true
			col.Unique = col.Unique || unique && len(keys) == 1
		}
	}
	return ctx.Err()
}
