// Package mongo reads the documents of a MongoDB collection as the rows of a source. The columns of a mapping are paths, such as
// name.first or emails.0.address. It is a package of its own, so that programs that read something else do not link the driver.
//
// It sends the server only what reads. On a replica set or a sharded cluster a scan is one snapshot, if the server has snapshots
// (MongoDB 5.0 and later). On a single server without them, a document that changes while the scan goes on may be read in either
// state.
package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"owlatsync/source"
)

// connectTimeout limits the search for a server unless the URI has a serverSelectionTimeoutMS.
const connectTimeout = 15 * time.Second

// Connect returns a client for a mongodb:// or mongodb+srv:// URI, which the caller disconnects. It waits for no server. Its error says
// what is wrong with the URI, without its password.
func Connect(uri string) (*mongo.Client, error) {
	o := options.Client().ApplyURI(uri)
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("read the MongoDB DSN: %w", withoutSecrets(err, o))
	}
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(connectTimeout)
	}
	if o.AppName == nil {
		o.SetAppName("owlat-sync")
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("read the MongoDB DSN: %w", withoutSecrets(err, o))
	}
	return client, nil
}

// withoutSecrets drops the text of an error that may hold a part of the password: the driver quotes what it cannot read.
func withoutSecrets(err error, o *options.ClientOptions) error {
	text := err.Error()
	if o.Auth != nil && o.Auth.Password != "" && strings.Contains(text, o.Auth.Password) || strings.Contains(text, "@") || strings.Contains(text, "escape") {
		return errors.New("it is not valid; check its form and its options")
	}
	return err
}

// ParseFilter reads a filter in MongoDB's Extended JSON, such as {"active": true} or {"team": {"$oid": "…"}}. An empty text is no
// filter. Its errors say what is wrong.
func ParseFilter(text string) (bson.D, error) {
	filter := bson.D{}
	if strings.TrimSpace(text) == "" {
		return filter, nil
	}
	if err := bson.UnmarshalExtJSON([]byte(text), false, &filter); err != nil {
		return nil, fmt.Errorf("read the filter: it must be a JSON object, such as {\"active\": true}: %w", err)
	}
	for _, e := range filter {
		if e.Key == "$where" || e.Key == "$expr" && strings.Contains(text, "$function") {
			return nil, errors.New("read the filter: it runs JavaScript in the server, which may do anything; use operators instead")
		}
	}
	return filter, nil
}

// Documents returns the rows of the documents of a collection that match a filter. The caller keeps the collection's client. A
// mapped column is a path of field names and of positions in lists, separated by dots. A field that a document does not have is
// NULL, but a mapped field that no document has is an error. Lists, documents and bytes make the row a defect, except in _id: there a
// document becomes its text in Extended JSON. An ObjectID is its 24 hexadecimal digits, a UUID its usual text, a date a time in UTC.
//
// Documents runs nothing. Its error comes from [source.Mapping.Validate], or says that a path is not valid.
func Documents(c *mongo.Collection, filter bson.D, m source.Mapping) (*source.Table, error) {
	r, err := newRecords(c, filter, m)
	if err != nil {
		return nil, err
	}
	return source.From(r, m)
}

func newRecords(c *mongo.Collection, filter bson.D, m source.Mapping) (*records, error) {
	if c == nil {
		return nil, errors.New("choose a collection: there is none")
	}
	r := &records{collection: c, filter: slices.Clone(filter)}
	if r.filter == nil {
		r.filter = bson.D{}
	}
	add := func(required bool, names ...string) error {
		for _, name := range names {
			if name == "" || slices.ContainsFunc(r.wanted, func(w wanted) bool { return w.name == name }) {
				continue
			}
			p, err := parsePath(name)
			if err != nil {
				return err
			}
			r.wanted = append(r.wanted, wanted{name, p, required})
		}
		return nil
	}
	err := errors.Join(add(true, m.Key...), add(true, m.Email), add(false, m.FullName, m.Suppressed), add(false, m.Fields[:]...), add(false, m.Topics...))
	for _, p := range m.Properties {
		err = errors.Join(err, add(false, p.Column))
	}
	return r, err
}

// records are the documents of a collection.
type records struct {
	collection *mongo.Collection
	filter     bson.D
	wanted     []wanted
}

// wanted is a column of the mapping.
type wanted struct {
	name     string
	path     path
	required bool
}

func (r *records) Names() (store, record string) { return "the collection", "document" }

func (r *records) Ping(ctx context.Context) error {
	if err := r.collection.Database().Client().Ping(ctx, nil); err != nil {
		return fmt.Errorf("connect to MongoDB: %w", explain(err))
	}
	return nil
}

// described is how many documents tell the columns of a collection.
const described = 100

// Describe returns the paths of the first documents, with the type of the last value of each.
func (r *records) Describe(ctx context.Context) ([]source.Column, error) {
	cur, err := r.collection.Find(ctx, r.filter, options.Find().SetLimit(described))
	if err != nil {
		return nil, fmt.Errorf("read the collection: %w", explain(err))
	}
	defer cur.Close(context.WithoutCancel(ctx))
	var columns []source.Column
	for cur.Next(ctx) {
		Walk(cur.Current, func(path string, typ bson.Type, _ any) {
			if at := slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == path }); at >= 0 {
				columns[at].DatabaseType = typ.String()
				return
			}
			columns = append(columns, source.Column{Name: path, DatabaseType: typ.String()})
		})
	}
	if err := cur.Err(); err != nil {
		return nil, fmt.Errorf("read the collection: %w", explain(err))
	}
	return columns, nil
}

// Open begins a scan of all documents that match the filter.
func (r *records) Open(ctx context.Context) (source.Reader, error) { return r.open(ctx, r.filter) }

func (r *records) open(ctx context.Context, filter bson.D) (*reader, error) {
	session, err := snapshot(ctx, r.collection.Database().Client())
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", explain(err))
	}
	s := &reader{records: r, session: session, unseen: map[string]bool{}}
	if err := s.find(ctx, filter); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.readAhead(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// snapshot returns a session whose reads are one snapshot, nil if the server has none.
func snapshot(ctx context.Context, client *mongo.Client) (*mongo.Session, error) {
	var hello struct {
		SetName string `bson:"setName"`
		Message string `bson:"msg"`
		Version int    `bson:"maxWireVersion"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return nil, err
	}
	const withSnapshots = 13 // MongoDB 5.0
	if hello.SetName == "" && hello.Message != "isdbgrid" || hello.Version < withSnapshots {
		return nil, nil
	}
	return client.StartSession(options.Session().SetSnapshot(true))
}

// reader is one scan.
type reader struct {
	records *records
	session *mongo.Session
	cur     *mongo.Cursor
	ahead   []bson.Raw
	ended   bool
	names   []string // of the columns
	paths   []path
	unseen  map[string]bool // wanted columns that no document has had
	doc     bson.Raw
}

// find begins to read documents.
func (s *reader) find(ctx context.Context, filter bson.D) error {
	o := options.Find().SetProjection(s.records.projection()).SetBatchSize(1000)
	c := s.records.collection
	var err error
	if s.session != nil {
		s.cur, err = c.Find(mongo.NewSessionContext(ctx, s.session), filter, o)
		if refused := new(mongo.CommandError); err == nil || !errors.As(err, refused) || refused.HasErrorLabel("NetworkError") {
			return wrapFind(err)
		}
		s.session.EndSession(ctx) // a server that looks like MongoDB but has no snapshots
		s.session = nil
	}
	s.cur, err = c.Find(ctx, filter, o)
	return wrapFind(err)
}

func wrapFind(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("run the query: %w", explain(err))
}

// projection asks only for what the mapping needs.
func (r *records) projection() bson.D {
	var names []string
	for _, w := range r.wanted {
		names = append(names, w.path.projected())
	}
	slices.Sort(names)
	p, id := bson.D{}, false
	for i, name := range names {
		within := slices.ContainsFunc(names[:i], func(parent string) bool { return name == parent || strings.HasPrefix(name, parent+".") })
		if within {
			continue // a server takes no path beside another that holds it
		}
		id = id || name == "_id" || strings.HasPrefix(name, "_id.")
		p = append(p, bson.E{Key: name, Value: 1})
	}
	if !id {
		p = append(p, bson.E{Key: "_id", Value: 0})
	}
	return p
}

// readAhead reads the first documents to learn which columns there are.
func (s *reader) readAhead(ctx context.Context) error {
	for len(s.ahead) < described && !s.ended {
		more, err := s.advance(ctx)
		if err != nil {
			return err
		}
		if more {
			s.ahead = append(s.ahead, bytes.Clone(s.cur.Current))
		}
	}
	missing := false
	for _, w := range s.records.wanted {
		there := slices.ContainsFunc(s.ahead, func(doc bson.Raw) bool { return w.path.in(doc) })
		s.unseen[w.name] = len(s.ahead) > 0
		if there || len(s.ahead) == 0 || !s.ended && !w.required {
			s.names, s.paths = append(s.names, w.name), append(s.paths, w.path)
		} else {
			missing = true
		}
	}
	if missing {
		return s.addDescribed(ctx)
	}
	return nil
}

// addDescribed puts all columns of the collection before those of the scan: the error for one that is missing lists them.
func (s *reader) addDescribed(ctx context.Context) error {
	columns, err := s.records.Describe(ctx)
	if err != nil {
		return err
	}
	names, paths := s.names, s.paths
	s.names, s.paths = nil, nil
	for _, c := range columns {
		if p, err := parsePath(c.Name); err == nil {
			s.names, s.paths = append(s.names, c.Name), append(s.paths, p)
		}
	}
	for i, name := range names {
		if !slices.Contains(s.names, name) {
			s.names, s.paths = append(s.names, name), append(s.paths, paths[i])
		}
	}
	return nil
}

// advance reads one more document from the server.
func (s *reader) advance(ctx context.Context) (bool, error) {
	if s.cur.Next(ctx) {
		return true, nil
	}
	if err := s.cur.Err(); err != nil {
		return false, explain(err)
	}
	s.ended = true
	return false, nil
}

func (s *reader) Columns() []string { return s.names }

func (s *reader) Next(ctx context.Context) (bool, error) {
	switch {
	case len(s.ahead) > 0:
		s.doc, s.ahead = s.ahead[0], s.ahead[1:]
	case s.ended:
		return false, s.complete()
	default:
		more, err := s.advance(ctx)
		if err != nil {
			return false, err
		}
		if !more {
			return false, s.complete()
		}
		s.doc = s.cur.Current
	}
	for i, name := range s.names {
		if len(s.unseen) > 0 && s.unseen[name] && s.paths[i].in(s.doc) {
			delete(s.unseen, name)
		}
	}
	return true, nil
}

// complete returns an error if no document had one of the wanted columns.
func (s *reader) complete() error {
	var names []string
	for name, wanted := range s.unseen {
		if wanted {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return &source.ColumnError{Column: slices.Min(names), Reason: "no document of the collection has such a field"}
	}
	return nil
}

func (s *reader) Value(i int) any { return valueOf(s.paths[i].value(s.doc), s.names[i] == "_id") }

// cleanUpTimeout limits the calls to the server at the end of a scan.
const cleanUpTimeout = 2 * time.Second

func (s *reader) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
	defer cancel()
	if s.cur != nil {
		_ = s.cur.Close(ctx)
	}
	if s.session != nil {
		s.session.EndSession(ctx)
	}
}
