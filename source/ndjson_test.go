package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/source"
)

func TestNDJSONForms(t *testing.T) {
	t.Parallel()
	m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}}
	for name, test := range map[string]struct {
		text string
		want string // key, address, name and position of each row
	}{
		"plain":           {`{"id":1,"email":"a@example.com","name":"Ada"}` + "\n", "1 a@example.com Ada line 1"},
		"no last newline": {`{"id":1,"email":"a@example.com","name":"Ada"}`, "1 a@example.com Ada line 1"},
		"mark and CRLF":   {"\uFEFF" + `{"id":1,"email":"a@example.com","name":"Ada"}` + "\r\n", "1 a@example.com Ada line 1"},
		"blank lines":     {"\n \n" + `{"id":1,"email":"a@example.com","name":"Ada"}` + "\n\n", "1 a@example.com Ada line 3"},
		"escapes":         {`{"id":"\u0041\/","email":"a\u0040example.com","name":"\ud83d\ude00 \ufffd \"x\""}`, "A/ a@example.com 😀 \uFFFD \"x\" line 1"},
		"other order":     {` { "name" : "Ada" , "more" : {"a":[1]} , "email":"a@example.com","id":-7}`, "-7 a@example.com Ada line 1"},
		"big number":      {`{"id":123456789012345678901234567890,"email":"a@example.com","name":1.50}`, "123456789012345678901234567890 a@example.com 1.5 line 1"},
		"whole number":    {`{"id":1.0e3,"email":"a@example.com","name":true}`, "1000 a@example.com true line 1"},
		"no halves":       {`{"id":"\\ud800","email":"a@example.com","name":"\uFFFD\uFFFD\\\ud83d\ude00\\\\udc00"}`, `\ud800 a@example.com ` + "\uFFFD\uFFFD" + `\😀\\udc00 line 1`},
		"long decimal":    {`{"id":9007199254740993.0,"email":"a@example.com","name":0.1234567890123456789012}`, "9007199254740993 a@example.com 0.1234567890123456789012 line 1"},
		"long exponents":  {`{"id":90071992547409930000e-4,"email":"a@example.com","name":-1.5E-9}`, "9007199254740993 a@example.com -1.5e-09 line 1"},
		"empty":           {"", ""},
		"a name comes late": {
			strings.Repeat(`{"id":1,"email":"a@example.com"}`+"\n", 150) + `{"id":1,"email":"a@example.com","name":"Ada"}`,
			strings.Repeat("1 a@example.com  line %d|", 150) + "1 a@example.com Ada line 151",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := read(t.Context(), must(source.NDJSON(content(test.text), m)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s %s %s %s", r.Key, r.Email.Value, r.Fields[owlatsync.FirstName].Value, r.Position))
			}
			want := test.want
			for i := 1; strings.Contains(want, "%d"); i++ {
				want = strings.Replace(want, "%d", fmt.Sprint(i), 1)
			}
			if strings.Join(got, "|") != want {
				t.Errorf("rows %q, want %q", got, want)
			}
		})
	}
}

func TestNDJSONDefects(t *testing.T) {
	t.Parallel()
	m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}, Properties: []source.Property{{Name: "p", Column: "plan"}}}
	for line, want := range map[string]string{
		`{"id":1,"email":["a@example.com"],"name":"A","plan":1}`:                `column "email" holds a JSON object or array, not one value`,
		`{"id":{"$oid":"5f"},"email":"a@example.com","name":"A","plan":1}`:      `column "id" holds a JSON object or array, not one value`,
		`{"id":1,"email":"a@example.com","name":"A","plan":{}}`:                 `column "plan" holds a JSON object or array, not one value`,
		`{"id":null,"email":"a@example.com","name":"A","plan":1}`:               `column "id" is empty, but is part of the key`,
		`{"email":"a@example.com","name":"A","plan":1}`:                         `column "id" is empty, but is part of the key`,
		"{\"id\":1,\"email\":\"a\xff@example.com\",\"name\":\"A\",\"plan\":1}":  `column "email" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\ud83d","plan":1}`:             `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\\ufffd\ud800","plan":1}`:      `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\ud800\ufffd","plan":1}`:       `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\uD800\uD800","plan":1}`:       `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\udc00\ud800","plan":1}`:       `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\uDFFF","plan":1}`:             `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\ud83d\ude00\ude00","plan":1}`: `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\ud83dx\ude00","plan":1}`:      `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\ud83d\\ude00","plan":1}`:      `column "name" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"\ud83d\n","plan":1}`:           `column "name" is not valid UTF-8`,
		`{"id":"\udbff","email":"a@example.com","name":"A","plan":1}`:           `column "id" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"A","plan":"\ud800"}`:           `column "plan" is not valid UTF-8`,
		`{"id":1,"email":"a@example.com","name":"A","plan":"x\u0000"}`:          `column "plan" holds a NUL byte, which is part of no text`,
		`{"id":"\u0000","email":"a@example.com","name":"A","plan":1}`:           `column "id" holds a NUL byte, which is part of no text`,
		`{"id":1,"email":"a@example.com","name":"A","plan":1e999}`:              `column "plan" holds a number that JSON cannot express`,
	} {
		text := line + "\n" + `{"id":2,"email":"b@example.com","name":"B","plan":"x"}`
		rows, err := read(t.Context(), must(source.NDJSON(content(text), m)))
		if err != nil || len(rows) != 2 {
			t.Errorf("%s: %d rows and %v, want both rows", line, len(rows), err)
			continue
		}
		if rows[0].Defect != want || rows[1].Defect != "" {
			t.Errorf("%s: the defects %q and %q, want %q and none", line, rows[0].Defect, rows[1].Defect, want)
		}
	}
}

func TestNDJSONNumbers(t *testing.T) {
	t.Parallel()
	m := source.Mapping{Email: "email", Properties: []source.Property{{Name: "p", Column: "n"}}}
	for number, want := range map[string]any{
		"0": int64(0), "-0": int64(0), "9223372036854775807": int64(math.MaxInt64), "9007199254740993": int64(9007199254740993),
		"0.1": 0.1, "1e3": 1000.0, "1.50": 1.5, "123456789.25": 123456789.25, "1e300": 1e300, "0.30000000000000004": 0.30000000000000004,
		"9223372036854775808":         json.Number("9223372036854775808"),
		"-18446744073709551615":       json.Number("-18446744073709551615"),
		"9007199254740993.0":          json.Number("9007199254740993"),
		"9007199254740992.0":          9007199254740992.0,
		"0.1000000000000000055511151": json.Number("0.1000000000000000055511151"),
		"12345678901234567.5":         json.Number("12345678901234567.5"),
		"1e-400":                      json.Number("1e-400"),
	} {
		rows, err := read(t.Context(), must(source.NDJSON(content(`{"email":"a@example.com","n":`+number+`}`), m)))
		if err != nil || len(rows) != 1 || rows[0].Defect != "" || rows[0].Properties[0].Value != want {
			t.Errorf("%s: %+v and %v, want %#v", number, rows, err, want)
			continue
		}
		if _, err := json.Marshal(rows[0].Properties[0].Value); err != nil {
			t.Errorf("%s cannot be sent: %v", number, err)
		}
	}
}

func TestNDJSONBadInput(t *testing.T) {
	t.Parallel()
	const good = `{"id":1,"email":"a@example.com","name":"Ada"}` + "\n"
	m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}}
	for name, test := range map[string]struct {
		text string
		rows int
		line int // of the LineError; 0: another error
		want []string
	}{
		"cut off":           {good + `{"id":2,"email":"b@exam`, 1, 2, []string{"line 2", "no JSON object", "!b@exam"}},
		"not JSON":          {good + "\nid: 2\n" + good, 1, 3, []string{"line 3", "no JSON object"}},
		"two objects":       {good + strings.TrimSpace(good) + good, 1, 2, []string{"line 2"}},
		"an array":          {good + `["a@example.com"]`, 1, 2, []string{"line 2", "JSON array"}},
		"a string":          {good + `"a@example.com"`, 1, 2, []string{"line 2", "no object", "!a@example"}},
		"null":              {good + "null", 1, 2, []string{"line 2", "no object"}},
		"far down":          {strings.Repeat(good, 500) + "x", 500, 501, []string{"line 501"}},
		"a JSON array file": {"[\n" + good + "]\n", 0, 1, []string{"line 1", "JSON array"}},
		"no such field":     {`{"uid":1,"mail":"a@example.com"}`, 0, 0, []string{`column "email"`, "uid, mail", `did you mean "mail"`, `column "id"`}},
		"never there": {
			strings.Repeat(`{"id":1,"email":"a@example.com"}`+"\n", 200), 200, 0,
			[]string{`column "name"`, "no line of the file has such a field"},
		},
		"key missing from the first lines": {
			strings.Repeat(`{"email":"a@example.com"}`+"\n", 200) + good, 0, 0,
			[]string{`column "id"`},
		},
		"an endless line": {good + `{"id":2,"email":"` + strings.Repeat("x", 17<<20), 0, 0, []string{"16 MiB", "line 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := read(t.Context(), must(source.NDJSON(content(test.text), m)))
			if err == nil {
				t.Fatal("there is no error")
			}
			if len(rows) != test.rows {
				t.Errorf("%d rows before the error, want %d", len(rows), test.rows)
			}
			says(t, err, test.want...)
			var line *source.LineError
			if is := errors.As(err, &line); is != (test.line > 0) || is && line.Line != test.line {
				t.Errorf("%v, want a LineError of line %d", err, test.line)
			}
		})
	}
}

func TestNDJSONPaths(t *testing.T) {
	t.Parallel()
	const text = `{"_id":{"$oid":"64b7"},"name":{"first":"Ada","a.b":"x"},"emails":[{"address":"a@example.com","ok":true},{"address":"z@example.com"}],"a.b":"own"}
{"_id":{"$oid":"64b8"},"name":"Bob","emails":[],"a":{"b":"path"}}
{"_id":{"$oid":"64b9"},"name":{"first":{"x":1}},"emails":[{"address":"c@example.com"}],"a":[{"b":"y"}]}
`
	m := source.Mapping{Key: []string{"_id.$oid"}, Email: "emails.0.address", Fields: owlatsync.Texts{owlatsync.FirstName: "name.first"}, Topics: []string{"emails.0.ok"}}
	m.Properties = []source.Property{{Name: "ab", Column: "a.b"}, {Name: "second", Column: "emails.1.address"}}
	rows, err := read(t.Context(), must(source.NDJSON(content(text), m)))
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows and %v", len(rows), err)
	}
	for i, want := range []string{
		"64b7 a@example.com Ada yes own z@example.com ", "64b8   no path <nil> ", `64b9 c@example.com  no <nil> <nil> column "name.first" holds a JSON object or array, not one value`,
	} {
		r := rows[i]
		consent := map[bool]string{true: "yes", false: "no"}[r.Consents[0] == owlatsync.Yes]
		got := fmt.Sprintf("%s %s %s %s %v %v %s", r.Key, r.Email.Value, r.Fields[owlatsync.FirstName].Value, consent, r.Properties[0].Value, r.Properties[1].Value, r.Defect)
		if got != want {
			t.Errorf("row %d is %q, want %q", i+1, got, want)
		}
	}
	var names []string
	for _, c := range must(must(source.NDJSON(content(text), m)).Columns(t.Context())) {
		names = append(names, c.Name)
	}
	if want := "_id _id.$oid name name.first name.a.b emails emails.0 emails.0.address emails.0.ok a.b"; !strings.HasPrefix(strings.Join(names, " "), want) {
		t.Errorf("columns %q, want %s", names, want)
	}
	m.Fields[owlatsync.LastName] = "name.frist"
	says(t, fails(t, must(source.NDJSON(content(text), m)), nil), `column "name.frist"`, `did you mean "name.first"?`)
}
