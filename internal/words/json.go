package words

import (
	"bytes"
	"encoding/json"
)

// JSON encodes v, which holds nothing that cannot be encoded, as one line that is read by people too.
func JSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
