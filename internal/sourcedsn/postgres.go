package sourcedsn

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// postgresServer is what a PostgreSQL DSN says, in libpq's words.
type postgresServer struct {
	parameters map[string]string // to connect
	settings   map[string]string // of the server, for each transaction
}

// libpqNames are the parameters of a connection that libpq and the driver know. Any other name is a setting of the server.
var libpqNames = []string{
	"application_name", "channel_binding", "connect_timeout", "dbname", "host", "krbspn", "krbsrvname", "max_protocol_version",
	"min_protocol_version", "options", "passfile", "password", "port", "require_auth", "service", "servicefile", "sslcert", "sslcertmode",
	"sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs", "user",
}

// postgresAliases are parameters that other programs have another name for.
var postgresAliases = map[string]string{
	"database": "dbname", "ssl": "sslmode", "schema": "search_path", "currentSchema": "search_path",
	"ApplicationName": "application_name", "fallback_application_name": "application_name", "loginTimeout": "connect_timeout", "connectTimeout": "connect_timeout",
	"encoding": "client_encoding", "charset": "client_encoding",
}

// postgresIgnored are parameters of other programs that say nothing about which rows there are or how they are reached safely.
var postgresIgnored = []string{
	"pgbouncer", "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "supa", "workaround", "schema_cache", // Prisma, Supabase
	"prepared_statements", "prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback", "statement_limit", "pool", "pool_size", "max_overflow",
	"pool_recycle", "pool_pre_ping", "reconnect", "checkout_timeout", "reaping_frequency", "variables", "serverVersion", "uselibpqcompat", "max", "min",
	"pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_max_conn_lifetime_jitter", "pool_max_conn_idle_time", "pool_health_check_period",
	"default_query_exec_mode", "statement_cache_mode", "statement_cache_capacity", "description_cache_capacity", "binary_parameters",
	"prepareThreshold", "preparedStatementCacheQueries", "preferQueryMode", "reWriteBatchedInserts", "tcpKeepAlive", "socketTimeout", "stringtype", "defaultRowFetchSize",
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslcompression",
}

// refusedPostgres are parameters that would change the meaning, and what to do instead.
var refusedPostgres = map[string]string{
	"sslidentity": "a PKCS#12 file cannot be read; give sslcert and sslkey", "sslfactory": "give sslmode and sslrootcert",
	"replication": "a source is read by queries; remove it", "requiressl": "give sslmode=require", "gsslib": "remove it",
}

// parsePostgres reads a URL without its scheme. In a JDBC URL "ssl" also asks for a check of the server's name.
func parsePostgres(rest, folder string, jdbc bool) (DSN, error) {
	if jdbc && !strings.HasPrefix(rest, "/") {
		rest = "///" + rest // jdbc:postgresql:database
	}
	a, err := splitURL(rest)
	if err != nil {
		return DSN{}, err
	}
	options, err := parseOptions(a.options)
	if err != nil {
		return DSN{}, err
	}
	if jdbc && slices.Contains([]string{"", "true"}, options["ssl"]) && options["sslmode"] == "" {
		if _, given := options["ssl"]; given {
			options["ssl"] = "verify-full"
		}
	}
	server, err := postgresOf(a, options, folder)
	if err != nil {
		return DSN{}, err
	}
	if jdbc && a.user == "" {
		a.user, a.password = server.parameters["user"], server.parameters["password"]
	}
	return DSN{KindPostgres, &parts{postgres: server, shown: a.show("postgres")}}, nil
}

// postgresOf joins what stands before the question mark with the parameters after it. It refuses what is said twice or in vain.
func postgresOf(a authority, options map[string]string, folder string) (postgresServer, error) {
	s := postgresServer{map[string]string{}, map[string]string{}}
	if host := options["host"]; a.hosts == "localhost" && strings.HasPrefix(host, "/") {
		a.hosts, a.hostGiven = "", false // a socket, and a host only because a URL has one
	}
	inURL := map[string]bool{"host": a.hostGiven, "port": a.portGiven, "user": a.user != "", "password": a.password != "", "dbname": a.path != ""}
	given := map[string]string{} // parameter → the name that set it
	for _, name := range slices.Sorted(maps.Keys(options)) {
		meant := cmp.Or(postgresAliases[name], name)
		switch {
		case inURL[meant]:
			return s, fmt.Errorf("read the DSN: %s says again what stands before the question mark; remove one", called(name))
		case given[meant] != "":
			return s, fmt.Errorf("read the DSN: %s and %s are the same; remove one", called(given[meant]), called(name))
		}
		given[meant] = name
		if err := s.set(name, meant, options[name], folder); err != nil {
			return s, err
		}
	}
	if err := s.accept(options["sslaccept"]); err != nil {
		return s, err
	}
	for name, value := range map[string]string{"user": a.user, "password": a.password, "dbname": a.path} {
		if value != "" {
			s.parameters[name] = value
		}
	}
	s.addHosts(a)
	return s, nil
}

// set takes one parameter: name is how the DSN calls it, meant is what libpq calls it.
func (s postgresServer) set(name, meant, value, folder string) error {
	if why := refusedPostgres[name]; why != "" {
		return fmt.Errorf("read the DSN: postgres: takes no option %q: %s", name, why)
	}
	if err := checkSetting(name, meant, value); err != nil {
		return err
	}
	switch {
	case slices.Contains(postgresIgnored, name), name == "sslaccept", isPostgresSetting(meant):
		return nil
	case meant == "gssencmode":
		if value == "require" {
			return errors.New(`read the DSN: postgres: takes no option "gssencmode=require": only TLS encrypts the connection; give sslmode`)
		}
		return nil
	case meant == "port":
		for port := range strings.SplitSeq(value, ",") {
			if port != "" && !validPort(port) {
				return errPort
			}
		}
	case meant == "connect_timeout":
		if strings.Trim(value, "0123456789") != "" || value == "" {
			return fmt.Errorf("read the DSN: %s must be a whole number of seconds", called(name))
		}
	case meant == "sslmode":
		mode, known := sslModes[strings.ToLower(value)]
		if !known {
			return fmt.Errorf("read the DSN: %s must be disable, allow, prefer, require, no-verify, verify-ca or verify-full", called(name))
		}
		value = mode
	case meant == "options":
		if rest, err := s.options(value); err != nil || rest == "" {
			return err
		}
	case (meant == "sslrootcert" && value != "system" || meant == "sslcert" || meant == "sslkey") && value != "" && !filepath.IsAbs(value):
		value = filepath.Join(folder, value)
	}
	if slices.Contains(libpqNames, meant) {
		s.parameters[meant] = value
	} else {
		s.settings[meant] = value
	}
	return nil
}

// sslModes are libpq's values of sslmode and those of others, with libpq's value for each. Libpq's "require" checks no certificate.
var sslModes = map[string]string{
	"disable": "disable", "allow": "allow", "prefer": "prefer", "require": "require", "verify-ca": "verify-ca", "verify-full": "verify-full",
	"no-verify": "require", "true": "require", "1": "require", "": "require", "false": "disable", "0": "disable",
}

// accept reads Prisma's word for whether the certificate is checked.
func (s postgresServer) accept(word string) error {
	mode := s.parameters["sslmode"]
	switch {
	case word == "" || word == "accept_invalid_certs":
	case word != "strict":
		return errors.New(`read the DSN: the option "sslaccept" must be strict or accept_invalid_certs`)
	case mode == "disable":
		return errors.New(`read the DSN: the options "sslaccept" and "sslmode" contradict each other; remove one`)
	default:
		s.parameters["sslmode"] = "verify-full"
	}
	return nil
}

// serverSetting is a setting within the option "options", which is a command line of the server.
var serverSetting = regexp.MustCompile(`^\s*(?:-c\s*|--)([A-Za-z_.-]+)=((?:\\.|[^\s\\])*)`)

// options takes the settings out of a command line for the server, because a pooler would refuse them. Of another form, such as the
// name of an endpoint at Neon, the whole is left to the server.
func (s postgresServer) options(line string) (rest string, err error) {
	found := map[string]string{}
	for rest = line; strings.TrimSpace(rest) != ""; {
		m := serverSetting.FindStringSubmatch(rest)
		if m == nil {
			return line, nil
		}
		name, value := strings.ReplaceAll(m[1], "-", "_"), strings.ReplaceAll(m[2], `\`, "")
		if err := checkSetting(name, name, value); err != nil {
			return "", err
		}
		if !isPostgresSetting(name) {
			found[name] = value
		}
		rest = rest[len(m[0]):]
	}
	maps.Copy(s.settings, found)
	return "", nil
}

// addHosts gives each host of the URL its port.
func (s postgresServer) addHosts(a authority) {
	if a.hosts == "" {
		return
	}
	var hosts, ports []string
	for text := range strings.SplitSeq(a.hosts, ",") {
		host, port, given := splitHostPort(unescaped(text))
		if !given && a.portGiven {
			port = "5432"
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	if a.hostGiven {
		s.parameters["host"] = strings.Join(hosts, ",")
	}
	if a.portGiven {
		s.parameters["port"] = strings.Join(ports, ",")
	}
}

// connString returns parameters in libpq's form of keys and values.
func (s postgresServer) connString(settings bool) string {
	all := maps.Clone(s.parameters)
	if settings {
		maps.Copy(all, s.settings)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(all[name]) + "'")
	}
	if b.Len() == 0 {
		return "dbname=''" // all is left to the environment
	}
	return b.String()
}

// postgresSettings are the settings that every scan makes, their values, and why.
var postgresSettings = map[string]struct{ value, why string }{
	"timezone":                      {"utc", "times are read in UTC"},
	"datestyle":                     {"iso,ymd", "dates are read in the form 2006-01-02"},
	"client_encoding":               {"utf8", "texts are read as UTF-8"},
	"extra_float_digits":            {"1", "numbers are read with all their digits"},
	"default_transaction_isolation": {"repeatableread", "a source is read in one snapshot"},
	"default_transaction_read_only": {"on", "a source is only read"},
}

func isPostgresSetting(name string) bool {
	_, known := postgresSettings[strings.ToLower(name)]
	return known
}

// checkSetting refuses another value for what a scan sets itself.
func checkSetting(name, meant, value string) error {
	set, known := postgresSettings[strings.ToLower(meant)]
	value = strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\\", "").Replace(value))
	same := value == set.value || set.value == "on" && slices.Contains([]string{"true", "yes", "1"}, value) ||
		set.value == "utf8" && slices.Contains([]string{"unicode", "utf8mb4", "auto"}, value)
	if !known || same {
		return nil
	}
	return overridden(name, set.why)
}

// keyValue is the beginning of libpq's form of keys and values.
var keyValue = regexp.MustCompile(`^([A-Za-z_]+)\s*=`)

// isKeyValue reports whether a text is in libpq's form, which begins with one of its parameters.
func isKeyValue(text string) bool {
	found := keyValue.FindStringSubmatch(text)
	return found != nil && (slices.Contains(libpqNames, found[1]) || postgresAliases[found[1]] != "")
}

// parseKeyValue reads libpq's form, such as: host=db.example dbname=shop user=app password='a b'.
func parseKeyValue(text, folder string) (DSN, error) {
	options := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		found := keyValue.FindStringSubmatch(text)
		if found == nil {
			return DSN{}, errKeyValue
		}
		value, rest, ok := cutValue(strings.TrimLeft(text[len(found[0]):], " \t"))
		if !ok {
			return DSN{}, errKeyValue
		}
		if _, twice := options[found[1]]; twice {
			return DSN{}, fmt.Errorf("read the DSN: %s is given twice; remove one", called(found[1]))
		}
		options[found[1]], text = value, rest
	}
	server, err := postgresOf(authority{}, options, folder)
	if err != nil {
		return DSN{}, err
	}
	p := server.parameters
	shown := authority{user: p["user"], password: p["password"], path: p["dbname"], hosts: p["host"]}
	if strings.HasPrefix(shown.hosts, "/") {
		shown.hosts = ""
	}
	if p["port"] != "" && shown.hosts != "" && !strings.Contains(p["port"], ",") {
		shown.hosts += ":" + p["port"]
	}
	return DSN{KindPostgres, &parts{postgres: server, shown: shown.show("postgres")}}, nil
}

// errKeyValue gives no details, because they may be part of a password.
var errKeyValue = errors.New("read the DSN: it is not in the form key=value key=value; a value that holds a blank stands in single quotes, and in it a quote or backslash after a backslash")

// cutValue returns the value at the beginning of a text, and what follows it.
func cutValue(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case quoted && c == '\'':
			return b.String(), text[i+1:], i+1 == len(text) || strings.ContainsRune(" \t\r\n", rune(text[i+1]))
		case !quoted && strings.ContainsRune(" \t\r\n", rune(c)):
			return b.String(), text[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}
