package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
)

// versionInfo is what "version --json" prints.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from files that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersionCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		GroupID: program.GroupTools,
		Args:    program.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			if a.JSON {
				return a.PrintJSON(v)
			}
			a.Printf("owlat-sync %s", v.Version)
			if v.Revision != "" {
				a.Printf(" (%.12s)", v.Revision)
			}
			a.Printf(" %s %s\n", v.Go, v.Platform)
			return nil
		},
	}
}

func readVersion() versionInfo {
	v := versionInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
