package api

import (
	_ "embed"
	"net/http"
)

// Document describes the API: OpenAPI 3.1 as JSON.
//
//go:embed openapi.json
var Document []byte

func describe(_ *API, c *call) error {
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(Document)
	return nil
}
