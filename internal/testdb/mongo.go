package testdb

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// MongoVariable is the environment variable that holds the DSN of a server of MongoDB's protocol.
const MongoVariable = "OWLATSYNC_TEST_MONGODB" // mongodb://127.0.0.1:port/

// Mongo returns the DSN of a new database of MongoDB, and the database. It is dropped when the test ends. Without a server it skips
// the test, or fails it if CI=true.
func Mongo(t testing.TB) (string, *mongo.Database) {
	t.Helper()
	server, name := serverDSN(t, MongoVariable), newName()
	client, err := mongo.Connect(options.Client().ApplyURI(server))
	if err != nil {
		t.Fatalf("connect to MongoDB: %v", err)
	}
	db := client.Database(name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Errorf("drop the database %s: %v", name, err)
		}
		if err := client.Disconnect(ctx); err != nil {
			t.Errorf("disconnect from MongoDB: %v", err)
		}
	})
	return withDatabase(t, server, name), db
}

// PingMongo reports whether a server of MongoDB's protocol answers under the DSN.
func PingMongo(ctx context.Context, dsn string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(dsn))
	if err != nil {
		return fmt.Errorf("connect to MongoDB: %w", err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return client.Ping(ctx, nil)
}
