package owlattest

import (
	"encoding/json"
	"os"
	"testing"
)

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/wire/webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		SignatureVectors []struct{ Secret, RawBody, Signature string }
	}
	if err := json.Unmarshal(raw, &f); err != nil || len(f.SignatureVectors) == 0 {
		t.Fatal(len(f.SignatureVectors), err)
	}
	for _, v := range f.SignatureVectors {
		if got := sign(v.Secret, []byte(v.RawBody)); got != v.Signature {
			t.Errorf("%s: %s, want %s", v.RawBody, got, v.Signature)
		}
	}
}
