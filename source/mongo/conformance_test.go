package mongo_test

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"owlatsync/internal/testdb"
	"owlatsync/source"
	"owlatsync/source/mongo"
	"owlatsync/source/sourcetest"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// cursors are the open cursors of a client.
type cursors struct {
	mu   sync.Mutex
	open map[int64]bool
}

func (c *cursors) watch() *event.CommandMonitor {
	return &event.CommandMonitor{Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch e.CommandName {
		case "find", "getMore":
			if id, ok := e.Reply.Lookup("cursor", "id").AsInt64OK(); ok && id != 0 {
				c.open[id] = true
			} else {
				clear(c.open) // a scan has one cursor at a time
			}
		case "killCursors":
			clear(c.open)
		}
	}}
}

func (c *cursors) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.open)
}

func (c *cursors) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open) == 0
}

// document makes a row of a fixture a document.
func document(f sourcetest.Fixture, row []any) bson.D {
	var d bson.D
	for i, v := range row {
		switch x := v.(type) {
		case json.Number:
			v = must(strconv.ParseFloat(x.String(), 64))
		case sourcetest.BadText:
			v = string(x)
		case string:
			v = x
		}
		d = append(d, bson.E{Key: f.Columns[i].Name, Value: v})
	}
	return d
}

func store(t testing.TB, f sourcetest.Fixture) sourcetest.Stored {
	dsn, db := testdb.Mongo(t)
	c := db.Collection("people")
	var documents []any
	for _, row := range f.Rows {
		documents = append(documents, document(f, row))
	}
	for len(documents) > 0 {
		n := min(len(documents), 1000)
		if _, err := c.InsertMany(t.Context(), documents[:n]); err != nil {
			t.Fatal(err)
		}
		documents = documents[n:]
	}
	watched := &cursors{open: map[int64]bool{}}
	client := must(driver.Connect(options.Client().ApplyURI(dsn).SetMonitor(watched.watch()).SetServerSelectionTimeout(2 * time.Second)))
	disconnect := sync.OnceFunc(func() { _ = client.Disconnect(context.Background()) })
	t.Cleanup(disconnect)
	return sourcetest.Stored{
		Open: func(t testing.TB, names []string, m source.Mapping) *source.Table {
			t.Helper()
			if names != nil {
				t.Fatal("the fields of a document have no other names")
			}
			return must(mongo.Documents(client.Database(db.Name()).Collection("people"), nil, m))
		},
		Break: func(testing.TB) {
			disconnect()
			watched.forget() // a server closes the cursors of a connection that is gone
		},
		Idle: func(testing.TB) bool { return watched.idle() },
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Kind{
		Store: store, Unit: "document", First: 1, Own: []string{"_id"},
		NoDuplicate: true, NoBinary: true, NoBadText: true, Doubles: true, NoSnapshot: true, Wide: 5000,
	})
}
