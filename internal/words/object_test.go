package words

import (
	"encoding/json"
	"testing"
)

func TestObjectKeepsItsOrder(t *testing.T) {
	t.Parallel()
	o := Object{{"b", 1}, {"left out", nil}, Text("empty", ""), Text("a", "x<y"), {"c", Object{}}}
	if got, err := json.Marshal(o); err != nil || string(got) != `{"b":1,"a":"x\u003cy","c":{}}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := json.Marshal(Object{{"f", func() {}}}); err == nil {
		t.Error("a function was written")
	}
}
