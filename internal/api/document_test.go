package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/ledger"
)

// document is the description of the API, read once. Its schemas are stricter than it says: they allow no field that they do not name.
type document struct {
	tree    map[string]any
	compile *jsonschema.Compiler
}

var readDocument = sync.OnceValue(func() *document {
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(Document))
	if err != nil {
		panic(err)
	}
	strict, err := jsonschema.UnmarshalJSON(bytes.NewReader(Document))
	if err != nil {
		panic(err)
	}
	forbidOthers(strict)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("openapi.json", strict); err != nil {
		panic(err)
	}
	return &document{tree.(map[string]any), c}
})

// forbidOthers makes every object with properties forbid others.
func forbidOthers(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, has := v["properties"].(map[string]any); has && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			forbidOthers(child)
		}
	case []any:
		for _, child := range v {
			forbidOthers(child)
		}
	}
}

var compiling sync.Mutex

// schema returns the schema at a pointer of the document.
func (d *document) schema(t *testing.T, pointer ...string) *jsonschema.Schema {
	t.Helper()
	for i, p := range pointer {
		pointer[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p)
	}
	compiling.Lock()
	defer compiling.Unlock()
	s, err := d.compile.Compile("openapi.json#/" + strings.Join(pointer, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// at returns what stands at a path of the document, nil if nothing does.
func (d *document) at(path ...string) any {
	var v any = d.tree
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// check fails the test if an answer is not as the document says. Body is nil for a stream that goes on.
func (d *document) check(t *testing.T, r *http.Request, status int, header http.Header, body []byte) {
	t.Helper()
	path, ok := d.path(r.URL.Path)
	if !ok {
		return // there is nothing at this address
	}
	method := strings.ToLower(r.Method)
	if d.at("paths", path, method) == nil {
		if status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s answers %d, and is not documented", r.Method, path, status)
		}
		return
	}
	where := []string{"paths", path, method, "responses", fmt.Sprint(status)}
	if named, ok := d.at(append(where, "$ref")...).(string); ok {
		where = strings.Split(strings.TrimPrefix(named, "#/"), "/")
	}
	response, _ := d.at(where...).(map[string]any)
	if response == nil {
		t.Errorf("%s %s answers %d, which is not documented: %s", r.Method, path, status, body)
		return
	}
	content, _ := response["content"].(map[string]any)
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	if content == nil {
		if len(body) > 0 {
			t.Errorf("%s %s answers %d with a body: %s", r.Method, path, status, body)
		}
		return
	}
	if content[kind] == nil {
		t.Errorf("%s %s answers %d as %q, which is not documented", r.Method, path, status, kind)
		return
	}
	if kind == "application/json" {
		d.valid(t, body, append(where, "content", kind, "schema")...)
	}
}

// valid fails the test if a text does not fit the schema at a pointer.
func (d *document) valid(t *testing.T, text []byte, pointer ...string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("no JSON: %v: %s", err, text)
		return
	}
	if err := d.schema(t, slices.Clone(pointer)...).Validate(v); err != nil {
		t.Errorf("not as documented: %v\n%s", err, text)
	}
}

// path returns the documented path that an address belongs to.
func (d *document) path(address string) (string, bool) {
	best := ""
	for path := range d.at("paths").(map[string]any) {
		if path == address {
			return path, true
		}
		pattern := "^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$"
		if regexp.MustCompile(pattern).MatchString(address) {
			best = path
		}
	}
	return best, best != ""
}

func TestTheDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi-3.1.schema.json", schema); err != nil {
		t.Fatal(err)
	}
	official, err := c.Compile("openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	d := readDocument()
	if err := official.Validate(d.tree); err != nil {
		t.Error(err)
	}
	for name := range d.at("components", "schemas").(map[string]any) {
		d.schema(t, "components", "schemas", name)
	}
	var broken map[string]any
	if err := json.Unmarshal(bytes.Replace(Document, []byte(`"responses"`), []byte(`"answers"`), 1), &broken); err != nil || official.Validate(broken) == nil {
		t.Errorf("a broken document passes, too; %v", err)
	}
	// Every reference leads somewhere, and everything that can be referred to is.
	used := make(map[string]bool)
	for _, named := range regexp.MustCompile(`"\$ref": "#/(components/[^"]+)"`).FindAllSubmatch(Document, -1) {
		used[string(named[1])] = true
		if d.at(strings.Split(string(named[1]), "/")...) == nil {
			t.Errorf("%s is not there", named[1])
		}
	}
	for _, kind := range []string{"schemas", "responses"} {
		for name := range d.at("components", kind).(map[string]any) {
			if !used["components/"+kind+"/"+name] {
				t.Errorf("nobody refers to %s/%s", kind, name)
			}
		}
	}
}

func TestTheDocumentNamesEveryRoute(t *testing.T) {
	t.Parallel()
	d := readDocument()
	var documented []string
	for path, item := range d.at("paths").(map[string]any) {
		for method := range item.(map[string]any) {
			if role, ok := d.at("paths", path, method, "x-role").(string); ok && path != "/metrics" {
				documented = append(documented, strings.ToUpper(method)+" "+path+" "+role)
			}
		}
	}
	var there []string
	for _, r := range New(Parts{}).routes() {
		there = append(there, r.method+" "+r.path+" "+string(r.role))
		if parameters := strings.Count(r.path, "{"); parameters > 0 {
			if all, _ := d.at("paths", r.path, strings.ToLower(r.method), "parameters").([]any); len(all) < parameters {
				t.Errorf("%s %s lacks its parameters", r.method, r.path)
			}
		}
	}
	slices.Sort(documented)
	slices.Sort(there)
	if !slices.Equal(documented, there) {
		t.Errorf("documented are\n%s\nthere are\n%s", strings.Join(documented, "\n"), strings.Join(there, "\n"))
	}
}

// TestTheDocumentNamesEveryField holds the schemas against the types that are encoded, and their words against those of the program.
func TestTheDocumentNamesEveryField(t *testing.T) {
	t.Parallel()
	d := readDocument()
	for name, v := range map[string]any{
		"Deployment": deploymentJSON{}, "Status": statusJSON{}, "Sync": syncJSON{}, "Run": runJSON{}, "Taken": takenJSON{}, "Feedback": feedbackJSON{}, "Delivery": deliveryJSON{}, "AuditLine": auditJSON{}, "Error": errorJSON{},
		"Event": events.Event{}, "Report": owlatsync.Report{}, "Summary": owlatsync.Summary{}, "Guard": owlatsync.Hit{}, "Memberships": owlatsync.MembershipCounts{},
		"Reading": owlatsync.Reading{}, "Ends": owlatsync.Ends{},
	} {
		var fields, always []string
		for f := range fieldsOf(reflect.TypeOf(v)) {
			tag, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			if fields = append(fields, tag); !strings.HasPrefix(option, "omit") {
				always = append(always, tag)
			}
		}
		properties := slices.Sorted(maps.Keys(d.at("components", "schemas", name, "properties").(map[string]any)))
		slices.Sort(fields)
		if !slices.Equal(fields, properties) {
			t.Errorf("%s has %q, documented are %q", name, fields, properties)
		}
		for _, required := range d.at("components", "schemas", name, "required").([]any) {
			if !slices.Contains(always, required.(string)) {
				t.Errorf("%s need not have %s", name, required)
			}
		}
	}
	for _, test := range []struct {
		path string
		want []string
	}{
		{"SyncState/enum", texts(States)},
		{"Run/properties/status/enum", texts(ledger.Statuses)},
		{"Run/properties/stage/enum", texts(ledger.Stages)},
		{"Event/properties/kind/enum", texts(events.Kinds)},
		{"Delivery/properties/state/enum", texts([]ledger.DeliveryState{ledger.DeliveryWaiting, ledger.DeliveryDone, ledger.DeliveryDead})},
		{"AuditLine/properties/by/enum", texts([]ledger.Way{ledger.ByPage, ledger.ByAPI, ledger.ByCommand})},
		{"Status/properties/you/properties/role/enum", texts([]config.Role{config.Viewer, config.Operator})},
	} {
		var got []string
		for _, word := range d.at(append([]string{"components", "schemas"}, strings.Split(test.path, "/")...)...).([]any) {
			got = append(got, word.(string))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s is %q, and there are %q", test.path, got, test.want)
		}
	}
	if got := slices.Sorted(maps.Keys(d.at("components", "schemas", "Outcomes", "properties").(map[string]any))); !slices.Equal(got, slices.Sorted(slices.Values(texts(owlatsync.Outcomes)))) {
		t.Errorf("outcomes %q", got)
	}
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("json") != "" && !yield(f) {
				return
			}
		}
	}
}

func texts[S ~string](all []S) (plain []string) {
	for _, s := range all {
		plain = append(plain, string(s))
	}
	return plain
}
