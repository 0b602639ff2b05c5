package main

import (
	"context"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy" // the directive
)

// caddyfileOf adapts a Caddyfile, as "caddy adapt" does; a warning counts as a fault.
func caddyfileOf(_ context.Context, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	out, warnings, err := adapter.Adapt(text, map[string]any{"filename": file})
	if err != nil {
		return "", err
	}
	if len(warnings) > 0 {
		return "", fmt.Errorf("%v", warnings)
	}
	return fmt.Sprintf("%d bytes of Caddy's own configuration", len(out)), nil
}
