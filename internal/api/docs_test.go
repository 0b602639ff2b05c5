package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/access"
	"owlatsync/internal/events"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows returns the first two cells of the rows of the table below a heading.
func rows(t *testing.T, page, head string) (all [][]string) {
	t.Helper()
	_, table, found := strings.Cut(page, head+"\n")
	if !found {
		t.Fatalf("the page has no table %s", head)
	}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			return all
		}
		if cells := strings.Split(strings.Trim(line, "| \n"), " | "); !strings.HasPrefix(line, "|---") {
			all = append(all, cells)
		}
	}
	return all
}

// spans returns the texts in code in a cell.
func spans(cell string) (texts []string) {
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		texts = append(texts, span[1])
	}
	return texts
}

// TestThePageNamesEverything holds docs/api.md against the document and the program.
func TestThePageNamesEverything(t *testing.T) {
	t.Parallel()
	page, d := page(t), readDocument()
	var got, want []string
	for _, cells := range rows(t, page, "| address | role | what it answers |") {
		address := spans(cells[0])[0]
		got = append(got, address+" "+cells[1])
		method, path, _ := strings.Cut(address, " ")
		parameters, _ := d.at("paths", path, strings.ToLower(method), "parameters").([]any)
		var named, known []string
		for _, p := range parameters {
			if p := p.(map[string]any); p["in"] == "query" {
				known = append(known, p["name"].(string))
			}
		}
		if body, ok := d.at("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema", "properties").(map[string]any); ok {
			known = append(known, slices.Collect(maps.Keys(body))...)
		}
		named = append(named, spans(cells[2])...)
		slices.Sort(known)
		slices.Sort(named)
		if !slices.Equal(known, named) {
			t.Errorf("%s takes %q, the page names %q", address, known, named)
		}
	}
	for _, r := range New(Parts{}).routes() {
		want = append(want, r.method+" "+r.path+" "+string(r.role))
	}
	want = append(want, "GET /metrics viewer", "GET /healthz anybody", "GET /readyz anybody", "POST /webhooks/owlat signature")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%s\nthere are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, test := range []struct {
		head string
		cell int
		want []string
	}{
		{"| state | meaning |", 0, texts(States)},
		{"| kind | when | data |", 0, texts(events.Kinds)},
		{"| status | codes | when |", 1, codes(t)},
		{"| role | may |", 0, []string{"operator", "viewer"}},
	} {
		var got []string
		for _, cells := range rows(t, page, test.head) {
			got = append(got, spans(cells[test.cell])...)
		}
		got, want := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(test.want))
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s has %q, there are %q", test.head, got, want)
		}
	}
	limits := access.DefaultLimits()
	for _, limit := range []string{
		fmt.Sprintf("| %d; others wait", limits.Connections), fmt.Sprintf("| %d KiB, within %d seconds", limits.Headers>>10, int(limits.ReadHeader.Seconds())), fmt.Sprintf("within %d seconds |", int(limits.Read.Seconds())), fmt.Sprintf("%d MiB", maxBody>>20), fmt.Sprintf("| %d, %d if", maxLimit, standardLimit), fmt.Sprintf("| %d |", maxStreams),
		fmt.Sprintf("cut after %d seconds", int(streamWrite.Seconds())), fmt.Sprintf("Every %d seconds", int(streamBeat.Seconds())), "10 000",
	} {
		if !strings.Contains(page, limit) {
			t.Errorf("the page does not say %q", limit)
		}
	}
}

// codes returns the codes of errors that the document names.
func codes(t *testing.T) (all []string) {
	t.Helper()
	for _, code := range readDocument().at("components", "schemas", "Error", "properties", "error", "properties", "code", "enum").([]any) {
		all = append(all, code.(string))
	}
	return all
}

// TestTheCommandsOfThePageWork makes the requests of the page's curl commands.
func TestTheCommandsOfThePageWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	w.only.Name = "acme"
	c := start(t, w.api.Handler())
	done := 0
	for _, line := range regexp.MustCompile(`(?m)^curl .*$`).FindAllString(page(t), -1) {
		method, body, address := http.MethodGet, "", ""
		header := []string{"Authorization", "", "Content-Type", ""}
		words := regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1)
		for i := 1; i < len(words); i++ {
			switch word := words[i]; word {
			case "-N":
			case "-X", "-d", "-H":
				i++
				value := strings.Trim(strings.ReplaceAll(words[i], "$TOKEN", operatorToken), `'"`)
				switch word {
				case "-X":
					method = value
				case "-d":
					body = value
				case "-H":
					name, text, _ := strings.Cut(value, ": ")
					header = append(header, name, text)
				}
			default:
				address = strings.Trim(word, `"`)
			}
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := c.ask(method, u.RequestURI(), body, header...); got.status >= 300 {
			t.Errorf("%s\nanswers %d %s", line, got.status, got.body)
		}
		done++
	}
	if done < 8 || len(w.asked) < 5 {
		t.Errorf("%d commands asked for %q", done, w.asked)
	}
	sample := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindStringSubmatch(page(t))[1]
	if got := c.ask(http.MethodGet, "/api/v1/syncs/nobody", "").body; strings.TrimSpace(got) != sample {
		t.Errorf("the error is %s", got)
	}
}
