// Package jsonline reads single lines of a file of JSON objects.
package jsonline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Names lists the fields of an object in their order, up to the first syntax error, each with the paths into its value.
func Names(line []byte) []string { return names(line, "") }

func names(line []byte, prefix string) (all []string) {
	d := json.NewDecoder(bytes.NewReader(line))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return all
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return all
		}
		path := prefix + name.(string)
		all = append(all, path)
		var list []json.RawMessage
		if value[0] == '[' && json.Unmarshal(value, &list) == nil && len(list) > 0 {
			path, value = path+".0", list[0]
			all = append(all, path)
		}
		all = append(all, names(value, path+".")...)
	}
	return all
}

// Object reads a line, and says why it is no object.
func Object(line []byte, object *map[string]json.RawMessage) (why string) {
	err := json.Unmarshal(line, object)
	switch syntax, is := errors.AsType[*json.SyntaxError](err); {
	case err == nil && *object != nil:
		return ""
	case is:
		return fmt.Sprintf("the line is no JSON object: its syntax is wrong at byte %d", syntax.Offset) // the error itself quotes the text
	case err == nil:
		*object = make(map[string]json.RawMessage)
	}
	return "the line is JSON but no object; each line must be one {…}"
}

// At returns the field of that name, or the value at that path; nil if there is none.
func At(object map[string]json.RawMessage, name string) json.RawMessage {
	if value, ok := object[name]; ok || !strings.Contains(name, ".") {
		return value
	}
	first, rest, _ := strings.Cut(name, ".")
	value := object[first]
	for rest != "" && len(value) > 0 {
		first, rest, _ = strings.Cut(rest, ".")
		switch value[0] {
		case '{':
			var object map[string]json.RawMessage
			_ = json.Unmarshal(value, &object) // a part of what was read already
			value = object[first]
		case '[':
			var list []json.RawMessage
			_ = json.Unmarshal(value, &list)
			value = nil
			if at, err := strconv.Atoi(first); err == nil && at >= 0 && at < len(list) {
				value = list[at]
			}
		default:
			return nil
		}
	}
	return value
}
