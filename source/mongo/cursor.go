package mongo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"owlatsync/source"
)

var _ source.Changing = (*records)(nil)

// Text identifies the collection and its filter.
func (r *records) Text() string {
	filter, err := bson.MarshalExtJSON(r.filter, true, false)
	if err != nil {
		filter = fmt.Append(nil, r.filter)
	}
	return r.collection.Name() + " " + string(filter)
}

// OpenSince begins a scan of the documents whose date or whole number at a path is not before since, or that have none there.
func (r *records) OpenSince(ctx context.Context, column string, since any, none bool) (source.ChangingReader, error) {
	if none && column == "" {
		return r.none(ctx)
	}
	p, err := parsePath(column)
	if err != nil {
		return nil, err
	}
	with := *r
	if !slices.ContainsFunc(r.wanted, func(w wanted) bool { return w.name == column }) {
		with.wanted = append(slices.Clone(r.wanted), wanted{column, p, true})
	}
	filter := with.filter
	if since != nil {
		filter = with.and(bson.E{Key: "$or", Value: bson.A{
			bson.D{{Key: column, Value: bson.D{{Key: "$gte", Value: since}}}}, bson.D{{Key: column, Value: nil}},
		}})
	}
	s, err := with.open(ctx, filter)
	if err != nil {
		return nil, err
	}
	if none {
		s.ahead, s.ended, s.unseen = nil, true, nil
	}
	return s, nil
}

// none begins a scan of no documents that can go on with some.
func (r *records) none(ctx context.Context) (*reader, error) {
	session, err := snapshot(ctx, r.collection.Database().Client())
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", explain(err))
	}
	s := &reader{records: r, session: session, ended: true}
	for _, w := range r.wanted {
		s.names, s.paths = append(s.names, w.name), append(s.paths, w.path)
	}
	return s, nil
}

// and returns the filter with one more condition.
func (r *records) and(e bson.E) bson.D {
	if len(r.filter) == 0 {
		return bson.D{e}
	}
	return bson.D{{Key: "$and", Value: bson.A{r.filter, bson.D{e}}}}
}

// Again goes on with the documents that have one of the keys and were left out.
func (s *reader) Again(ctx context.Context, column string, since any, key []string, values [][]string) error {
	var which bson.A
	for _, parts := range values {
		one := bson.D{}
		for i, part := range parts {
			one = append(one, bson.E{Key: key[i], Value: bson.D{{Key: "$in", Value: meanings(part)}}})
		}
		which = append(which, one)
	}
	if len(which) == 0 {
		which = bson.A{bson.D{{Key: "$nor", Value: bson.A{bson.D{}}}}} // no document
	}
	all := bson.A{s.records.filter, bson.D{{Key: "$or", Value: which}}}
	if column != "" {
		all = append(all, bson.D{{Key: column, Value: bson.D{{Key: "$lt", Value: since}}}})
	}
	filter := bson.D{{Key: "$and", Value: all}}
	if s.cur != nil {
		if err := s.cur.Close(ctx); err != nil {
			return explain(err)
		}
	}
	if err := s.find(ctx, filter); err != nil {
		return err
	}
	s.ended, s.unseen = false, nil
	return nil
}

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	wholeForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
)

// meanings returns the values of which a key has the text: a text may stand for a value of another type.
func meanings(text string) bson.A {
	all := bson.A{text}
	if id, err := bson.ObjectIDFromHex(text); err == nil {
		all = append(all, id)
	}
	if uuidForm.MatchString(text) {
		data, _ := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		all = append(all, bson.Binary{Subtype: bson.TypeBinaryUUID, Data: data})
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && wholeForm.MatchString(text) {
		all = append(all, n)
	} else if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		all = append(all, f)
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		all = append(all, at)
	}
	if text == "true" || text == "false" {
		all = append(all, text == "true")
	}
	var document bson.D
	if strings.HasPrefix(text, "{") && bson.UnmarshalExtJSON([]byte(text), true, &document) == nil {
		all = append(all, document)
	}
	return all
}

// Top returns the highest date or whole number at the path.
func (s *reader) Top(ctx context.Context, column string, since any) (any, error) {
	condition := bson.D{{Key: "$ne", Value: nil}}
	if since != nil {
		condition = bson.D{{Key: "$gte", Value: since}}
	}
	p, err := parsePath(column)
	if err != nil {
		return nil, err
	}
	in := ctx
	if s.session != nil {
		in = mongo.NewSessionContext(ctx, s.session)
	}
	o := options.FindOne().SetSort(bson.D{{Key: column, Value: -1}}).SetProjection(bson.D{{Key: p.projected(), Value: 1}})
	doc, err := s.records.collection.FindOne(in, s.records.and(bson.E{Key: column, Value: condition}), o).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return nil, nil
	case err != nil:
		return nil, explain(err)
	}
	v := valueOf(p.value(doc), false)
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f), nil
	}
	return v, nil
}

// Count counts the documents whose date or whole number at the path is not before since.
func (s *reader) Count(ctx context.Context, column string, since any, most int) (int, error) {
	in := ctx
	if s.session != nil {
		in = mongo.NewSessionContext(ctx, s.session)
	}
	filter := s.records.and(bson.E{Key: column, Value: bson.D{{Key: "$gte", Value: since}}})
	n, err := s.records.collection.CountDocuments(in, filter, options.Count().SetLimit(int64(most)))
	return int(n), explain(err)
}

// Indexed looks for an index that begins with the path. A collection with few documents needs none.
func (s *reader) Indexed(ctx context.Context, column string, _ any) (bool, error) {
	const few = 10_000
	c := s.records.collection
	cur, err := c.Indexes().List(ctx)
	if err != nil {
		return false, explain(err)
	}
	defer cur.Close(context.WithoutCancel(ctx))
	for cur.Next(ctx) {
		keys, err := cur.Current.Lookup("key").Document().Elements()
		_, whole := cur.Current.LookupErr("partialFilterExpression")
		if err == nil && len(keys) > 0 && keys[0].Key() == column && whole != nil {
			return true, nil
		}
	}
	if err := cur.Err(); err != nil {
		return false, explain(err)
	}
	n, err := c.CountDocuments(ctx, bson.D{}, options.Count().SetLimit(few+1))
	if err != nil {
		return false, explain(err)
	}
	return n <= few, nil
}
