package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// broken are copies of the repository in which one file is wrong, and what must be said about it.
var broken = []struct {
	name, file, from, to, want string
}{
	{"base", "Dockerfile", "FROM gcr.io/distroless/static-debian12:nonroot\n", "FROM\n", "FROM requires"},
	{"form", "Dockerfile", `ENTRYPOINT ["/usr/local/bin/owlat-sync"]`, "ENTRYPONT /usr/local/bin/owlat-sync", "unknown instruction"},
	{"key", "deploy/compose/compose.yaml", "stop_grace_period:", "stop_grace:", "stop_grace"},
	{"variable", "deploy/compose/compose.yaml", "${DATABASE_URL:?", "${DATABASE_URI:?", "DATABASE_URI"},
	{"open", "deploy/compose/compose.yaml", "- 127.0.0.1:8420:8420", "- 8420:8420", "not on this machine alone"},
	{"soft", "deploy/compose/compose.yaml", "cap_drop: [ALL]", "cap_drop: []", "not hardened"},
	{"volume", "deploy/compose/compose.yaml", "data:/data", "date:/data", "date"},
	{"directive", "deploy/compose/Caddyfile", "reverse_proxy", "reverse_prox", "reverse_prox"},
	{"nodes", "deploy/compose/cluster.yaml", "ledger: {condition: service_healthy}", "leader: {condition: service_healthy}", "leader"},
	{"nodesopen", "deploy/compose/cluster.yaml", "127.0.0.1:8440:8420", "8440:8420", "not on this machine alone"},
	{"balance", "deploy/compose/cluster.Caddyfile", "health_uri", "health_url", "health_url"},
	{"field", "deploy/kubernetes/statefulset.yaml", "serviceName:", "serviceNames:", "serviceNames"},
	{"probe", "deploy/kubernetes/statefulset.yaml", "timeoutSeconds: 5", "timeoutSeconds: -5", "timeoutSeconds"},
	{"port", "deploy/kubernetes/service.yaml", "port: 8420", "port: 84200", "between 1 and 65535"},
	{"path", "deploy/kubernetes/ingress.yaml", "pathType: Exact", "pathType: Precise", "pathType"},
	{"backend", "deploy/kubernetes/ingress.yaml", "name: public", "name: private", "which no Service has"},
	{"root", "deploy/kubernetes/statefulset.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "pod security"},
	{"two", "deploy/kubernetes/statefulset.yaml", "replicas: 1", "replicas: 2", "2 replicas"},
	{"config", "deploy/kubernetes/statefulset.yaml", "configMap: {name: owlat-sync}", "configMap: {name: owlat-sink}", "which there is not"},
}

// TestWhatWouldRunThemTakesThem has the compose files, the manifests, the Dockerfile and the Caddyfiles checked by the code of the
// programs that would run them, and checks that this code finds faults.
func TestWhatWouldRunThemTakesThem(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the program that checks is large")
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{here}
	for _, b := range broken {
		folder := filepath.Join(t.TempDir(), b.name)
		for _, part := range []string{"deploy/compose", "deploy/kubernetes"} {
			if err := os.CopyFS(filepath.Join(folder, part), os.DirFS(filepath.Join(root, part))); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range []string{"Dockerfile", b.file} {
			text := read(t, file)
			if file == b.file {
				changed := strings.Replace(text, b.from, b.to, 1)
				if changed == text {
					t.Fatalf("%s has no %q to break", b.file, b.from)
				}
				text = changed
			}
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		folders = append(folders, folder)
	}
	if out, err := checker(t, "list", "-deps", ".").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skipf("the modules of tests/deploy are not there: %v\n%s", err, out)
	}
	// Its code is large and runs for a second: that it is not optimised saves two thirds of the time.
	out, err := checker(t, append([]string{"run", "-gcflags=all=-N -l", "."}, folders...)...).CombinedOutput()
	if err == nil {
		t.Error("faults do not make the program fail")
	}
	said := make(map[string]string) // by folder
	for line := range strings.Lines(string(out)) {
		if folder, what, ok := strings.Cut(line, "\t"); ok {
			said[folder] += what
		}
	}
	if text := said[here]; strings.Count(text, ": ok: ") != 6 || strings.Count(text, "\n") != 6 {
		t.Errorf("not all is well:\n%s", out)
	}
	for i, b := range broken {
		text := said[folders[i+1]]
		if strings.Count(text, ": ok: ") != 5 || !strings.Contains(text, b.want) {
			t.Errorf("%s with %q: said\n%s\nwant a fault with %q", b.file, b.to, text, b.want)
		}
	}
}

// checker returns a call of go in the module that checks.
func checker(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join(root, "tests", "deploy")
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	return cmd
}
