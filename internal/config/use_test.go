package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatIsNotUsedMayBeMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "owlat-sync.yaml")
	file := strings.Replace(valid, "owlat:", "owlat:\n  url: ${OWN_URL}\n  unsubscribe_secret: ${SECRET}", 1)
	file = strings.Replace(file, "sqlite:app.db", "${DATABASE}", 1)
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	const (
		url = ":2: owlat.url: the environment variable OWN_URL is not set"
		own = ":3: owlat.unsubscribe_secret: the environment variable SECRET is not set"
		key = ":4: owlat.api_key: the environment variable OWLAT_API_KEY is not set"
		dsn = ":8: syncs.users.source.dsn: the environment variable DATABASE is not set"
	)
	for _, test := range []struct {
		use  Use
		want []string
	}{
		{UseLedger, nil}, {UseURL, []string{url}}, {UseKey, []string{own, key}}, {UseSources, []string{dsn}}, {UseAll, []string{url, own, key, dsn}},
	} {
		cfg, err := Load(path, test.use, env(nil))
		var got []string
		if wrong, ok := errors.AsType[*Error](err); ok {
			for _, p := range wrong.Problems {
				got = append(got, strings.TrimPrefix(p.String(), path))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("use %b: %q, want %q", test.use, got, test.want)
		}
		if test.use == UseLedger && (cfg.Owlat.NoKey == nil || !strings.Contains(cfg.Owlat.NoKey.Error(), path+key) || cfg.Syncs[0].Query == "") {
			t.Errorf("the ledger alone: %+v", cfg)
		}
	}
}
