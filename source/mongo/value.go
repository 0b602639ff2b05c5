package mongo

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"

	"owlatsync/source"
)

// path leads to a value within a document.
type path []string

func parsePath(name string) (path, error) {
	p := path(strings.Split(name, "."))
	if slices.Contains(p, "") || strings.ContainsRune(name, 0) || strings.HasPrefix(name, "$") {
		return nil, fmt.Errorf("the column %q is no path of field names separated by dots, such as name.first", name)
	}
	return p, nil
}

// value returns the value at the path, the zero value if there is none. A number is a position in a list.
func (p path) value(doc bson.Raw) bson.RawValue {
	v := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}
	for _, name := range p {
		var within bson.Raw
		switch v.Type {
		case bson.TypeEmbeddedDocument, bson.TypeArray: // a list is a document with the positions as names
			within = v.Value
		default:
			return bson.RawValue{}
		}
		var err error
		if v, err = within.LookupErr(name); err != nil {
			return bson.RawValue{}
		}
	}
	return v
}

func (p path) in(doc bson.Raw) bool { return p.value(doc).Type != 0 }

// projected returns the part of the path that a projection can name: it knows no positions in lists.
func (p path) projected() string {
	for i, name := range p {
		if _, err := strconv.Atoi(name); err == nil && i > 0 {
			return strings.Join(p[:i], ".")
		}
	}
	return strings.Join(p, ".")
}

// Walk visits the values of a document by their paths: also those of documents within it, and of the first element of a list. A value
// is what [source.Reader] gives.
func Walk(doc bson.Raw, visit func(path string, typ bson.Type, value any)) {
	walk("", doc, func(path string, v bson.RawValue) { visit(path, v.Type, valueOf(v, path == "_id")) })
}

func walk(prefix string, doc bson.Raw, visit func(string, bson.RawValue)) {
	elements, err := doc.Elements()
	if err != nil {
		return
	}
	for _, e := range elements {
		name, v := prefix+e.Key(), e.Value()
		switch {
		case v.Type == bson.TypeEmbeddedDocument && name != "_id":
			walk(name+".", v.Value, visit)
		case v.Type == bson.TypeArray:
			walk(name+".", firstOf(v.Value), visit)
		default:
			visit(name, v)
		}
	}
}

// firstOf returns a list with only its first element.
func firstOf(list bson.Raw) bson.Raw {
	first, err := list.IndexErr(0)
	if err != nil {
		return nil
	}
	one, err := bson.Marshal(bson.D{{Key: "0", Value: first.Value()}})
	if err != nil {
		return nil
	}
	return one
}

// valueOf returns a value as a source takes it. A document that is a key is its text in Extended JSON.
func valueOf(v bson.RawValue, id bool) any {
	switch v.Type {
	case 0, bson.TypeNull, bson.TypeUndefined:
		return nil
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeSymbol:
		return v.Symbol()
	case bson.TypeObjectID:
		return v.ObjectID().Hex()
	case bson.TypeInt32:
		return int64(v.Int32())
	case bson.TypeInt64:
		return v.Int64()
	case bson.TypeDouble:
		return v.Double()
	case bson.TypeDecimal128:
		return json.Number(v.Decimal128().String())
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeDateTime:
		return v.Time()
	case bson.TypeBinary:
		kind, data := v.Binary()
		if text := uuid(kind, data); text != "" {
			return text
		}
		if id {
			return hex.EncodeToString(data)
		}
	case bson.TypeEmbeddedDocument, bson.TypeTimestamp:
		if id {
			return strings.TrimSpace(v.String())
		}
	}
	return source.Nested{}
}

// uuid returns the text of a UUID, empty for other bytes.
func uuid(kind byte, data []byte) string {
	if kind != bson.TypeBinaryUUID || len(data) != 16 {
		return ""
	}
	text := hex.EncodeToString(data)
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// Codes of MongoDB's errors.
const (
	badValue             = 2
	unauthorized         = 13
	authenticationFailed = 18
	atlasError           = 8000
)

// explain adds what to do to an error of the driver.
func explain(err error) error {
	hint := ""
	var command mongo.CommandError
	switch {
	case errors.As(err, new(*auth.Error)):
		hint = "check user name, password and authSource in the DSN"
	case errors.As(err, &command):
		switch {
		case command.HasErrorCode(unauthorized):
			hint = "grant this user the role read on the database"
		case command.HasErrorCode(authenticationFailed), command.HasErrorCode(atlasError):
			hint = "check user name, password and authSource in the DSN"
		case command.HasErrorCode(badValue):
			hint = "correct the filter"
		}
	case mongo.IsNetworkError(err), mongo.IsTimeout(err):
		hint = "check host and port in the DSN, and whether the server lets this machine connect"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}
