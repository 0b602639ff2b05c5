package wake

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"owlatsync"
)

// keysOf returns the keys of rows that a payload names: a JSON text, number or list of them, or an object with "key" or "keys"; or else
// the parts between commas and line ends. A list within a list is a key of several columns. It returns false for a payload that
// names no keys, or not only keys: then anything may have changed.
func keysOf(payload string) (keys []string, ok bool) {
	payload = strings.TrimSpace(payload)
	if payload == "" || !utf8.ValidString(payload) {
		return nil, false
	}
	if strings.ContainsAny(payload[:1], `[{"`) {
		return jsonKeys(payload)
	}
	for _, part := range strings.FieldsFunc(payload, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			keys = append(keys, part)
		}
	}
	return keys, len(keys) > 0
}

func jsonKeys(payload string) (keys []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader([]byte(payload)))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil || d.More() {
		return nil, false
	}
	if object, is := value.(map[string]any); is {
		if value, is = object["keys"].([]any); !is {
			value = object["key"]
			key, ok := keyOf(value)
			return []string{key}, ok
		}
	}
	list, is := value.([]any)
	if !is {
		list = []any{value}
	}
	for _, v := range list {
		key, ok := keyOf(v)
		if !ok {
			return nil, false
		}
		keys = append(keys, key)
	}
	return keys, len(keys) > 0
}

// keyOf returns the key that a value stands for.
func keyOf(value any) (key string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), !strings.ContainsAny(v.String(), ".eE") // the key may be written otherwise
	case []any:
		var parts []string
		for _, part := range v {
			text, ok := keyOf(part)
			if _, nested := part.([]any); nested || !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		return owlatsync.JoinKey(parts...), len(parts) > 0
	}
	return "", false
}
