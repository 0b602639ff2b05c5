package program

import (
	"testing"

	"owlatsync/internal/config"
)

func TestCommandsAreAsTypedHere(t *testing.T) {
	t.Parallel()
	a := New(Built{}, []string{"OWLAT_SYNC_CONFIG=/etc/owlat/sync.yaml"}, nil, nil, nil)
	for path, want := range map[string]string{
		config.DefaultFile:     "owlat-sync plan --sync users",
		"/etc/owlat/sync.yaml": "owlat-sync plan --sync users", // the environment names it for the next command too
		"other.yaml":           "owlat-sync plan --sync users --config other.yaml",
		"my files/it's.yaml":   `owlat-sync plan --sync users --config 'my files/it'\''s.yaml'`,
	} {
		a.ConfigPath = path
		if got := a.Typed().Command("plan", "users"); got != want {
			t.Errorf("with %s: %s, want %s", path, got, want)
		}
	}
	a.ConfigPath, a.Deployment = "other.yaml", "acme"
	if got, want := a.Typed().Command("plan", "users"), "owlat-sync plan --sync users --deployment acme --config other.yaml"; got != want {
		t.Errorf("with a deployment: %s, want %s", got, want)
	}
	a.Env[EnvDeployment] = "acme"
	if got, want := a.Typed().Command("verify", ""), "owlat-sync verify --config other.yaml"; got != want {
		t.Errorf("without a sync: %s, want %s", got, want)
	}
}
