package words

import (
	"bytes"
	"encoding/json"
)

// JSON encodes v as one line that people can read too. v must be encodable.
func JSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
