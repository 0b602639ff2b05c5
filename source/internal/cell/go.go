package cell

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// OfGo makes a cell of a bool, an int64, a float64, a json.Number, a string or a time.Time. It may overwrite scratch.
func OfGo(v any, scratch *[]byte) Cell {
	var k Kind
	to := (*scratch)[:0]
	switch x := v.(type) {
	case bool:
		return Cell{Kind: Boolean, Text: Truth(x)}
	case int64:
		to, k = strconv.AppendInt(to, x, 10), Integer
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			to, k = strconv.AppendInt(to, int64(x), 10), Integer // JavaScript has no other whole numbers
		} else {
			to, k = AppendFloat(to, x, 64), Number
		}
	case json.Number:
		if d, ok := ParseDecimal([]byte(x)); ok {
			to, k = d.Append(to), Number
		} else {
			to, k = append(to, x...), Number
		}
	case time.Time:
		to, k = x.UTC().AppendFormat(to, time.RFC3339Nano), Moment
	case string:
		to = append(to, x...)
	default:
		to = fmt.Append(to, v)
	}
	*scratch = to
	return Cell{Kind: k, Text: to}
}
