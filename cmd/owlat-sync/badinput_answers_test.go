package main

import (
	"io"
	"net/http"
	"strings"

	"owlatsync/internal/exitcode"
	"owlatsync/owlat/owlattest"
)

// badAnswers are deployments that refuse, and servers that are no deployment. What is asked for is a listing of contacts, or
// a write that is refused.
func badAnswers() []badInput {
	listing := func(name string, code exitcode.Code, answer http.HandlerFunc) badInput {
		return badInput{name: name, code: code, args: []string{"run", "--yes", "--sync", "leads"}, answer: answer}
	}
	refused := func(name string, code exitcode.Code, scopes ...string) badInput {
		return badInput{name: name, code: code, args: []string{"verify", "--sync", "users"}, scopes: scopes}
	}
	upsert := func(name string, code exitcode.Code, answer http.HandlerFunc) badInput {
		return badInput{name: name, code: code, args: []string{"upsert", "eve@example.com"}, answer: answer, writes: 1}
	}
	json := func(status int, body string) http.HandlerFunc { return answer(status, "application/json", body) }
	html := func(status int) http.HandlerFunc {
		return answer(status, "text/html", "<html><body><h1>Something else</h1></body></html>")
	}
	page := func(data, pagination string) http.HandlerFunc {
		return json(http.StatusOK, `{"data":`+data+`,"pagination":`+pagination+`}`)
	}
	failure := func(status int, category, message string) http.HandlerFunc {
		return json(status, `{"error":{"category":"`+category+`","message":"`+message+`"}}`)
	}
	const unknownKey = "lm_live_00000000000000000000000000000000"
	return []badInput{
		{name: "an unknown key", code: exitcode.Refused, args: []string{"verify", "--sync", "users"}, env: map[string]string{"OWLAT_API_KEY": unknownKey}},
		{name: "an unknown key for check", code: exitcode.Refused, args: []string{"check", "--rows", "0"}, env: map[string]string{"OWLAT_API_KEY": unknownKey + "1"}},
		{name: "an unknown key for upsert", code: exitcode.Refused, args: []string{"upsert", "eve@example.com"}, env: map[string]string{"OWLAT_API_KEY": unknownKey + "2"}, writes: 1},
		refused("a key that may not read", exitcode.Refused, owlattest.ScopeContactsWrite),
		{name: "a key that may not write", code: exitcode.Refused, args: []string{"upsert", "eve@example.com"}, scopes: []string{owlattest.ScopeContactsRead}, writes: 1},
		{name: "a key that may not write, for check", code: exitcode.Refused, args: []string{"check", "--rows", "0", "--sync", "users"}, scopes: []string{owlattest.ScopeContactsRead}, writes: 3},
		{name: "a key that may not change topics", code: exitcode.Refused, args: []string{"topic", "add", "TOPIC", "ann@example.com"}, scopes: []string{owlattest.ScopeContactsWrite}, writes: 1},
		{name: "a contact that is not there", code: exitcode.Error, args: []string{"topic", "add", "TOPIC", "eve@example.com"}, writes: 1},
		{name: "a topic that is not there", code: exitcode.Error, args: []string{"topic", "remove", "k57000000000000000000000000000000", "ann@example.com"}, writes: 3},
		{name: "several contacts that are not there", code: exitcode.FailedRows, args: []string{"topic", "add", "TOPIC", "eve@example.com", "doe@example.com"}, writes: 2},

		listing("no plan that allows it", exitcode.Refused, failure(http.StatusPaymentRequired, "limit_reached", "Your plan allows no more")),
		listing("an API that is elsewhere", exitcode.Error, answer(http.StatusNotFound, "text/plain", "No matching routes found")),
		listing("a page for people", exitcode.Error, html(http.StatusOK)),
		listing("an empty answer", exitcode.Error, json(http.StatusOK, "")),
		listing("an answer that is a list", exitcode.Error, json(http.StatusOK, "[]")),
		listing("an answer that is null", exitcode.Error, json(http.StatusOK, "null")),
		listing("an answer without data", exitcode.Error, json(http.StatusOK, `{"contacts":[]}`)),
		listing("an answer that breaks off", exitcode.Error, json(http.StatusOK, `{"data":[{"id":"`)),
		listing("a page that never ends", exitcode.Error, page("[]", `{"limit":100,"totalItems":0,"cursor":null,"isDone":false}`)),
		listing("a page without an end", exitcode.Error, json(http.StatusOK, `{"data":[]}`)),
		listing("contacts that are numbers", exitcode.Error, page("[1,2]", `{"limit":100,"totalItems":2,"cursor":null,"isDone":true}`)),
		listing("a time that is none", exitcode.Error, page(`[{"id":"c1","email":"a@example.com","createdAt":"yesterday"}]`, `{"limit":100,"totalItems":1,"cursor":null,"isDone":true}`)),
		listing("a redirect to somebody else", exitcode.Error, redirect("http://other.example.com/api/v1/contacts")),
		listing("a redirect without an end", exitcode.Error, redirect("/again")),
		listing("a gateway that reaches nobody", exitcode.Error, html(http.StatusBadGateway)),
		listing("a server that is down for maintenance", exitcode.Error, json(http.StatusServiceUnavailable, "")),
		listing("an internal error", exitcode.Error, failure(http.StatusInternalServerError, "internal", "Internal server error")),
		listing("an unknown category", exitcode.Error, failure(http.StatusTeapot, "teapot", "I am a teapot")),
		listing("a proxy that asks for a password", exitcode.Error, html(http.StatusProxyAuthRequired)),
		{name: "a proxy that forbids it", code: exitcode.Refused, args: []string{"verify", "--sync", "users"}, answer: html(http.StatusForbidden)},
		listing("a connection that breaks off", exitcode.Error, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		listing("a bad request that was none", exitcode.Error, failure(http.StatusBadRequest, "invalid_input", "limit must be a number")),

		upsert("a contact without an id", exitcode.Error, json(http.StatusCreated, `{"data":{"email":"eve@example.com"}}`)),
		upsert("a contact that was refused", exitcode.Error, failure(http.StatusBadRequest, "invalid_input", "Invalid email")),
		upsert("a contact in a state that does not allow it", exitcode.Error, failure(http.StatusUnprocessableEntity, "invalid_state", "The contact is blocked")),
		upsert("a page for a contact", exitcode.Error, html(http.StatusCreated)),
		{name: "nobody there", code: exitcode.Error, args: []string{"upsert", "eve@example.com"}, env: map[string]string{"OWLAT_URL": "http://127.0.0.1:1"}},
		{name: "another path", code: exitcode.Error, args: []string{"check", "--rows", "0"}, env: map[string]string{"OWLAT_URL": "URL/elsewhere"}},
	}
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.Copy(w, strings.NewReader(body))
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}
