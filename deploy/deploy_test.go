// Package deploy checks the files beside it: the unit with systemd's own tools, the compose file, the manifests and the image by the
// program in tests/deploy, the packages' files by looking for them. What nobody can run without a container engine or a cluster is
// not run here; README.md says what that leaves open.
package deploy

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = ".."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// needs skips a test whose program is not there; with CI=true that is a failure.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not there", program)
		}
		t.Skipf("%s is not there", program)
	}
}

// verifyUnit returns what systemd has to say of a unit, and of others beside it (names and texts), with a program that is there in place of
// owlat-sync.
func verifyUnit(t *testing.T, name, text string, beside ...string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, name)
	for units := append([]string{name, text}, beside...); len(units) > 0; units = units[2:] {
		text := regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAllLiteralString(units[1], "ExecStart="+program)
		if err := os.WriteFile(filepath.Join(folder, units[0]), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	if err != nil {
		return err.Error() + "\n" + string(out)
	}
	return string(out)
}

func TestSystemdTakesTheUnits(t *testing.T) {
	t.Parallel()
	needs(t, "systemd-analyze")
	for _, name := range []string{"deploy/systemd/owlat-sync.service", "deploy/systemd/owlat-sync-backup.service", "examples/systemd/owlat-sync.service"} {
		if said := verifyUnit(t, path.Base(name), read(t, name)); said != "" {
			t.Errorf("%s: %s", name, said)
		}
	}
	for _, name := range []string{"deploy/systemd/owlat-sync-backup", "examples/systemd/owlat-sync"} {
		timer := read(t, name+".timer")
		if said := verifyUnit(t, path.Base(name)+".timer", timer, path.Base(name)+".service", read(t, name+".service")); said != "" {
			t.Errorf("%s.timer: %s", name, said)
		}
	}
	unit := read(t, "deploy/systemd/owlat-sync.service")
	for _, broken := range [][2]string{{"ProtectHome=yes", "ProtectHouse=yes"}, {"WatchdogSec=60s", "WatchdogSec=soon"}, {"Type=notify", "Type=notice"}} {
		if said := verifyUnit(t, "owlat-sync.service", strings.Replace(unit, broken[0], broken[1], 1)); said == "" {
			t.Errorf("systemd says nothing of %s", broken[1])
		}
	}
}

// maxExposure is ten times the most that systemd may rate the service's exposure at, of 10 in all; it calls up to 2 well.
const maxExposure = "15"

func TestUnitIsHardened(t *testing.T) {
	t.Parallel()
	needs(t, "systemd-analyze")
	unit := read(t, "deploy/systemd/owlat-sync.service")
	rate := func(text string) error {
		file := filepath.Join(t.TempDir(), "owlat-sync.service")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+maxExposure, file).CombinedOutput()
		if !strings.Contains(string(out), "Overall exposure level") {
			t.Fatalf("systemd-analyze rates nothing: %v\n%s", err, out)
		}
		return err
	}
	if err := rate(unit); err != nil {
		t.Errorf("the service is too exposed: %v", err)
	}
	if rate(strings.NewReplacer("SystemCallFilter", "#", "CapabilityBoundingSet", "#", "ProtectSystem", "#").Replace(unit)) == nil {
		t.Error("an exposed service counts as hardened")
	}
}

// TestUnitWatchesTheService keeps what the service and its unit must agree upon.
func TestUnitWatchesTheService(t *testing.T) {
	t.Parallel()
	unit := read(t, "deploy/systemd/owlat-sync.service")
	for _, line := range []string{
		"Type=notify", "WatchdogSec=60s", "Restart=on-failure", "ExecReload=sh -c 'kill -HUP ${MAINPID}'",
		"ExecStart=owlat-sync serve --config /etc/owlat-sync/owlat-sync.yaml", "StateDirectory=owlat-sync", "StateDirectoryMode=0700",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks the line %s", line)
		}
	}
	if strings.Contains(unit, "\nRestartPreventExitStatus") {
		t.Error("the unit keeps a service from starting again, but Go's runtime ends with 2 what the watchdog kills")
	}
	config := read(t, "deploy/systemd/owlat-sync.yaml")
	if !strings.Contains(config, "\nledger: /var/lib/owlat-sync/") {
		t.Error("the ledger of the sample is not in the folder that the service may write to")
	}
	if sample := read(t, "deploy/systemd/owlat-sync.sysusers"); !strings.Contains(sample, "\nu owlat-sync ") {
		t.Errorf("no user is made: %s", sample)
	}
}

// TestVariablesAreGiven looks for each variable of a configuration in what sets the environment beside it.
func TestVariablesAreGiven(t *testing.T) {
	t.Parallel()
	for config, giving := range map[string][]string{
		"deploy/systemd/owlat-sync.yaml":         {"deploy/systemd/env"},
		"deploy/compose/config/owlat-sync.yaml":  {"deploy/compose/compose.yaml", "deploy/compose/.env.example"},
		"deploy/compose/cluster/owlat-sync.yaml": {"deploy/compose/cluster.yaml", "deploy/compose/.env.example"},
		"deploy/kubernetes/owlat-sync.yaml":      {"deploy/kubernetes/kustomization.yaml"},
	} {
		variables := regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(read(t, config), -1)
		if len(variables) < 3 {
			t.Errorf("%s: only %d variables were found", config, len(variables))
		}
		for _, variable := range variables {
			for _, given := range giving {
				if !strings.Contains(read(t, given), variable[1]) {
					t.Errorf("%s uses %s, which %s does not name", config, variable[1], given)
				}
			}
		}
	}
}

// TestReleaseFilesAreThere looks for each file that .goreleaser.yaml packs.
func TestReleaseFilesAreThere(t *testing.T) {
	t.Parallel()
	text := read(t, ".goreleaser.yaml")
	files := regexp.MustCompile(`(?m)^ +(?:- )?(?:src|postinstall|preremove|postremove): (\S+)$`).FindAllStringSubmatch(text, -1)
	if len(files) < 12 {
		t.Fatalf("only %d files were found", len(files))
	}
	for _, file := range files {
		if strings.HasPrefix(file[1], "bin/manual/") { // made by TestManual
			continue
		}
		if matches, err := filepath.Glob(filepath.Join(root, file[1])); err != nil || len(matches) == 0 {
			t.Errorf(".goreleaser.yaml packs %s, which there is not", file[1])
		}
	}
	scripts, err := filepath.Glob("packages/*.sh")
	if err != nil || len(scripts) != 3 {
		t.Fatalf("found %q, %v", scripts, err)
	}
	for _, script := range scripts {
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("sh does not take %s: %v\n%s", script, err, out)
		}
	}
}
