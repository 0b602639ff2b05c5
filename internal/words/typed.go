package words

import (
	"regexp"
	"strings"
)

// Typed is how the person types commands of this program; advice shows commands in that form.
type Typed struct {
	Config     string // the configuration file to name; empty: it is found without a name
	Deployment string // the deployment to name; empty: it is found without a name
}

// Command returns a command line of the program, for one sync unless sync is empty.
func (t Typed) Command(command, sync string) string {
	parts := []string{"owlat-sync", command}
	if sync != "" {
		parts = append(parts, "--sync", ShellWord(sync))
	}
	if t.Deployment != "" {
		parts = append(parts, "--deployment", ShellWord(t.Deployment))
	}
	if t.Config != "" {
		parts = append(parts, "--config", ShellWord(t.Config))
	}
	return strings.Join(parts, " ")
}

// advised finds the commands in a text of this program: they stand in quotation marks, or in those of code.
var advised = regexp.MustCompile(`(["` + "`" + `])owlat-sync ([a-z]+)([^"` + "`" + `\n]*)(["` + "`" + `])`)

// general are commands that look at no deployment of a configuration, or at all of them.
var general = map[string]bool{"init": true, "demo": true, "sandbox": true, "serve": true, "token": true, "account": true, "version": true, "schema": true, "completion": true, "help": true}

// Complete names the deployment and the configuration file in the commands that a text advises, where the person has to. A command that names one of
// them stays as it is.
func (t Typed) Complete(text string) string {
	if t == (Typed{}) || !strings.Contains(text, "owlat-sync ") {
		return text
	}
	return advised.ReplaceAllStringFunc(text, func(found string) string {
		m := advised.FindStringSubmatch(found)
		if general[m[2]] || strings.Contains(m[3], " --deployment") || strings.Contains(m[3], " --config") || strings.HasSuffix(m[3], " --help") {
			return found
		}
		return m[1] + t.Command(m[2]+m[3], "") + m[4]
	})
}
