package dialects

import (
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync/source/internal/cell"
)

// PostgresKind returns the kind of a type of PostgreSQL by its number.
func PostgresKind(oid uint32) cell.Kind {
	switch oid {
	case pgtype.BoolOID:
		return cell.Boolean
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		return cell.Integer
	case pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		return cell.Number
	case pgtype.BPCharOID:
		return cell.Padded
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return cell.Moment
	case pgtype.DateOID:
		return cell.Day
	case pgtype.ByteaOID:
		return cell.Binary
	}
	return cell.Text
}
