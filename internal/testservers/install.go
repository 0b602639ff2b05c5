//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// policyFile is the script that Debian's package scripts ask before they start a service.
const policyFile = "/usr/sbin/policy-rc.d"

// install fetches packages that the wanted servers and the command need and the machine lacks. Its error is a reason, not yet a
// failure: starting a server decides whether it is there.
func install(ctx context.Context, wanted []kind, args []string) error {
	if len(missingPackages(wanted, args)) == 0 {
		return nil
	}
	if why := cannotInstall(); why != "" {
		return fmt.Errorf("not installing %s: %s", strings.Join(missingPackages(wanted, args), ", "), why)
	}
	unlock, err := lockInstall()
	if err != nil {
		return err
	}
	defer unlock()
	// Another run may have installed them while this one waited.
	packages := missingPackages(wanted, args)
	if len(packages) == 0 {
		return nil
	}
	say("installing %s", strings.Join(packages, ", "))
	allow, err := forbidServices()
	if err != nil {
		return err
	}
	defer allow()
	// A stale or missing package list is no reason to stop: the installation tells whether it mattered.
	if err := apt(ctx, "update", "--quiet"); err != nil {
		say("%v", err)
	}
	return apt(ctx, append([]string{"install", "--quiet", "--yes", "--no-install-recommends"}, packages...)...)
}

func missingPackages(wanted []kind, args []string) []string {
	var packages []string
	for _, k := range wanted {
		if k.program() == "" {
			packages = append(packages, k.packages...)
		}
		for _, name := range k.beside {
			if program(name, "/usr/sbin") == "" {
				packages = append(packages, name)
			}
		}
	}
	for name, of := range tools {
		if program(name, "/usr/bin") == "" {
			packages = append(packages, of)
		}
	}
	if !hasBrowser() && opensPages(args) {
		packages = append(packages, browserPackages...)
	}
	if slices.Contains(args, "-race") && os.Getenv("CGO_ENABLED") != "0" && !hasCompiler() {
		packages = append(packages, "gcc", "libc6-dev")
	}
	return packages
}

// hasCompiler reports whether there is a C compiler, which Go's race detector needs.
func hasCompiler() bool {
	for _, name := range []string{os.Getenv("CC"), "gcc", "clang"} {
		if name == "" {
			continue
		}
		if _, err := exec.LookPath(strings.Fields(name)[0]); err == nil {
			return true
		}
	}
	return false
}

// cannotInstall says why packages cannot be installed here, or nothing.
func cannotInstall() string {
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return "this is not Debian; install them yourself"
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "there is no apt-get"
	}
	if os.Geteuid() != 0 {
		return "only root can; run `apt-get install` as root, or set the DSNs of servers of your own"
	}
	return ""
}

// lockInstall keeps two runs of this program from installing at the same time.
func lockInstall() (func(), error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "owlatsync-install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the installation lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("take the installation lock: %w", err)
	}
	return func() { f.Close() }, nil
}

// forbidServices keeps the packages from starting machine-wide servers that nobody asked for. It leaves an existing policy as it
// is.
func forbidServices() (allow func(), err error) {
	f, err := os.OpenFile(policyFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString("#!/bin/sh\nexit 101\n"); err != nil {
		os.Remove(policyFile)
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	return func() { os.Remove(policyFile) }, nil
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
	// dpkg must end in order, or the machine keeps half-installed packages.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", args[0], err)
	}
	return nil
}
