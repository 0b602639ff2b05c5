package sourcedsn

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func parsePostgres(rest string) (DSN, error) {
	a, err := splitURL(rest)
	if err != nil {
		return DSN{}, err
	}
	options, err := parseOptions(a.options)
	if err != nil {
		return DSN{}, err
	}
	if err := checkPostgres(a, options); err != nil {
		return DSN{}, err
	}
	return DSN{KindPostgres, &parts{text: "postgres:" + rest, shown: a.show("postgres")}}, nil
}

// postgresAliases are options that have two names.
var postgresAliases = map[string]string{"database": "dbname", "ssl": "sslmode"}

// checkPostgres refuses options that repeat what is said elsewhere or have no effect. The driver and the server interpret the
// others.
func checkPostgres(a authority, options map[string]string) error {
	inURL := map[string]bool{"host": a.hostGiven, "port": a.portGiven, "user": a.user != "", "password": a.password != "", "dbname": a.path != ""}
	given := map[string]string{} // option → the name that set it
	for _, name := range slices.Sorted(maps.Keys(options)) {
		value, meant := options[name], name
		if alias, known := postgresAliases[name]; known {
			meant = alias
		}
		switch {
		case inURL[meant]:
			return fmt.Errorf("read the DSN: %s says again what stands before the question mark; remove one", called(name))
		case given[meant] != "":
			return fmt.Errorf("read the DSN: %s and %s are the same; remove one", called(given[meant]), called(name))
		}
		given[meant] = name
		if name == "port" {
			for port := range strings.SplitSeq(value, ",") {
				if port != "" && !validPort(port) {
					return errPort
				}
			}
		}
		if err := checkSetting(name, value); err != nil {
			return err
		}
		if name == "options" {
			for _, found := range serverSetting.FindAllStringSubmatch(value, -1) {
				if err := checkSetting(strings.ReplaceAll(found[1], "-", "_"), found[2]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// serverSetting is a setting within the option "options", which is a command line of the server.
var serverSetting = regexp.MustCompile(`(?:-c\s*|--)([A-Za-z_-]+)=((?:\\.|\S)*)`)

// postgresSettings are the settings that every scan makes, their values, and why.
var postgresSettings = map[string]struct{ value, why string }{
	"timezone":                      {"utc", "times are read in UTC"},
	"datestyle":                     {"iso,ymd", "dates are read in the form 2006-01-02"},
	"client_encoding":               {"utf8", "texts are read as UTF-8"},
	"extra_float_digits":            {"1", "numbers are read with all their digits"},
	"default_transaction_isolation": {"repeatableread", "a source is read in one snapshot"},
	"default_transaction_read_only": {"on", "a source is only read"},
}

// checkSetting refuses another value for what a scan sets itself.
func checkSetting(name, value string) error {
	set, known := postgresSettings[strings.ToLower(name)]
	value = strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\\", "").Replace(value))
	if !known || value == set.value || set.value == "on" && slices.Contains([]string{"true", "yes", "1"}, value) {
		return nil
	}
	return overridden(name, set.why)
}
