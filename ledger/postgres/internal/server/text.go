package server

import (
	"encoding/hex"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Text is a text of a BYTEA column that is to be scanned; NULL is the empty text.
type Text string

// ScanBytes implements pgtype.BytesScanner.
func (t *Text) ScanBytes(b []byte) error {
	*t = Text(b)
	return nil
}

// BytesValue implements pgtype.BytesValuer.
func (t Text) BytesValue() ([]byte, error) { return []byte(t), nil }

// AsTexts makes every string among the arguments of a statement a text: pgx passes a string as what BYTEA takes for escape sequences.
func AsTexts(args []any) []any {
	for i, arg := range args {
		if s, ok := arg.(string); ok {
			args[i] = Text(s)
		}
	}
	return args
}

// OrNull is the text as an argument, NULL for the empty text.
func OrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// headSize is how much of a text the indexes hold.
const headSize = 64

// Head returns what an index holds of a text.
func Head(s string) string { return s[:min(len(s), headSize)] }

// teach makes a connection take strings for BYTEA, and give them.
func teach(conn *pgx.Conn) {
	m := conn.TypeMap()
	bytea := &pgtype.Type{Name: "bytea", OID: pgtype.ByteaOID, Codec: textCodec{}}
	m.RegisterType(bytea)
	m.RegisterType(&pgtype.Type{Name: "_bytea", OID: pgtype.ByteaArrayOID, Codec: &pgtype.ArrayCodec{ElementType: bytea}})
}

// textCodec is that of BYTEA, which also takes strings.
type textCodec struct{ pgtype.ByteaCodec }

// PlanEncode implements pgtype.Codec.
func (c textCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(string); ok {
		if format == pgtype.BinaryFormatCode {
			return encodeText{}
		}
		return encodeHex{}
	}
	return c.ByteaCodec.PlanEncode(m, oid, format, value)
}

type encodeText struct{}

func (encodeText) Encode(value any, buf []byte) ([]byte, error) {
	return append(buf, value.(string)...), nil
}

type encodeHex struct{}

func (encodeHex) Encode(value any, buf []byte) ([]byte, error) {
	return hex.AppendEncode(append(buf, `\x`...), []byte(value.(string))), nil
}

// PlanScan implements pgtype.Codec.
func (c textCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*string); ok {
		if format == pgtype.BinaryFormatCode {
			return scanText{}
		}
		return scanHex{}
	}
	return c.ByteaCodec.PlanScan(m, oid, format, target)
}

type scanText struct{}

// Scan takes NULL for the empty text.
func (scanText) Scan(src []byte, target any) error {
	*target.(*string) = string(src)
	return nil
}

type scanHex struct{}

// Scan takes NULL for the empty text.
func (scanHex) Scan(src []byte, target any) error {
	b, err := hex.DecodeString(strings.TrimPrefix(string(src), `\x`))
	*target.(*string) = string(b)
	return err
}
