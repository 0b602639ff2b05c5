package sourcedsn

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// connectTimeout is how long a connection may take if the DSN does not say.
const connectTimeout = 15 * time.Second

// mysqlParts is what a mysql:// DSN says, unescaped.
type mysqlParts struct {
	user, password   string
	network, address string
	host             string // of a TCP address
	database         string
	options          map[string]string // for the driver
	encryption       encryption
}

// MySQL returns what the driver needs to open the source, including the password. It reads the files of certificates that the DSN
// names. It fails if the DSN names no MySQL source, if such a file cannot be read, or if the driver refuses the value of an option.
// The caller may change the configuration.
func (d DSN) MySQL() (*mysql.Config, error) {
	if d.kind != KindMySQL {
		return nil, errors.New("open the MySQL source: the DSN names none")
	}
	// The driver parses only its own options. The rest is set afterwards, so that no character of a password has a meaning.
	var options []string
	for _, name := range slices.Sorted(maps.Keys(d.mysql.options)) {
		options = append(options, name+"="+strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(d.mysql.options[name]))
	}
	c, err := mysql.ParseDSN("/?" + strings.Join(options, "&"))
	if err != nil {
		return nil, fmt.Errorf("read the options of the MySQL source: %w", err)
	}
	c.Net, c.Addr = d.mysql.network, d.mysql.address
	if err := d.mysql.encryption.apply(c); err != nil {
		return nil, err
	}
	if c.TLS != nil {
		c.TLS.ServerName = d.mysql.host // the driver used its default host
	}
	c.User, c.Passwd, c.DBName = d.mysql.user, d.mysql.password, d.mysql.database
	if c.Timeout == 0 {
		c.Timeout = connectTimeout
	}
	c.Logger = &mysql.NopLogger{} // what it would print is also returned as an error
	c.ClientFoundRows = true      // a write-back that comes twice finds its row twice, although it changes it once
	return c, nil
}

// MySQLCode returns the number of an error that the server itself answered with.
func MySQLCode(err error) (code uint16, answered bool) {
	answer, answered := errors.AsType[*mysql.MySQLError](err)
	if !answered {
		return 0, false
	}
	return answer.Number, true
}

// mySQLOptions are the options that a MySQL DSN may have. Drivers take any other name for a variable of the server: a mistyped name
// would be run as a statement with its value.
var mySQLOptions = []string{
	"allowCleartextPasswords", "allowFallbackToPlaintext", "allowNativePasswords", "allowOldPasswords",
	"compress", "connectionAttributes", "maxAllowedPacket", "readTimeout", "serverPubKey", "socket", "timeout", "tls", "writeTimeout",
}

// mySQLSettings are the options that a scan sets itself, their values, and why.
var mySQLSettings = map[string]struct {
	values []string
	why    string
}{
	"charset":         {[]string{"utf8mb4", "utf8", "utf8mb3", "utf8mb4,utf8", "ascii"}, "texts are read as utf8mb4"},
	"collation":       {nil, "texts are read as utf8mb4, with the server's collation for it"},
	"loc":             {[]string{"UTC"}, "times are read as texts, in UTC"},
	"multiStatements": {[]string{"false", "FALSE", "False", "0"}, "a source is one query"},
	"parseTime":       {[]string{"false", "FALSE", "False", "0"}, "times are read as texts, in UTC"},
}

// mySQLIgnored are plain names of options of other programs that say nothing about which rows there are or how they are reached
// safely. A plain name has small letters only.
var mySQLIgnored = []string{
	"connectionlimit", "pooltimeout", "sockettimeout", "statementcachesize", "pgbouncer", "pool", "poolsize", "maxoverflow", "poolrecycle", "poolpreping", "reconnect",
	"checkouttimeout", "serverversion", "servertimezone", "timezone", "connectiontimezone", "useunicode", "autoreconnect", "useserverprepstmts", "cacheprepstmts",
	"prepstmtcachesize", "prepstmtcachesqllimit", "rewritebatchedstatements", "zerodatetimebehavior", "uselegacydatetimecode", "allowpublickeyretrieval", "datestrings",
	"supportbignumbers", "bignumberstrings", "waitforconnections", "queuelimit", "enablekeepalive", "keepaliveinitialdelay", "variables", "debug", "trace", "preparedstatements",
	"allowmultiqueries", "multiplestatements", "interpolateparams", "binaryprotocol", "localinfile", "allowlocalinfile", "namedplaceholders", "tinyint1isbit",
}

// jdbcNames are what JDBC says after the question mark and others before it.
var jdbcNames = []string{"user", "password"}

// parseMySQL reads a URL without its scheme.
func parseMySQL(rest, folder string, jdbc bool) (DSN, error) {
	a, err := splitURL(rest)
	if err != nil {
		return DSN{}, err
	}
	options, err := parseOptions(a.options)
	if err != nil {
		return DSN{}, err
	}
	m := mysqlParts{options: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch value := options[name]; {
		case jdbc && slices.Contains(jdbcNames, name):
		default:
			if err := m.set(name, value, folder); err != nil {
				return DSN{}, err
			}
		}
	}
	if jdbc && a.user == "" {
		a.user, a.password = options["user"], options["password"]
	}
	m.user, m.password, m.database = a.user, a.password, a.path
	if m.encryption.mode != "" && m.options["tls"] != "" {
		return DSN{}, fmt.Errorf(`read the DSN: %s and the option "tls" are the same; remove one`, called(m.encryption.name))
	}
	if socket, given := m.options["socket"]; given {
		switch {
		case socket == "":
			return DSN{}, errors.New(`read the DSN: the option "socket" is empty; give the path of a socket, or remove it`)
		case a.hosts != "" && a.hosts != "localhost":
			return DSN{}, errors.New(`read the DSN: there is a host and the option "socket"; remove one`)
		}
		delete(m.options, "socket")
		m.network, m.address = "unix", socket
		return DSN{KindMySQL, &parts{mysql: m, shown: a.show("mysql")}}, nil
	}
	if strings.Contains(a.hosts, ",") {
		return DSN{}, errors.New("read the DSN: mysql:// takes one host")
	}
	host, port, _ := splitHostPort(a.hosts)
	m.host = cmp.Or(host, "127.0.0.1")
	m.network, m.address = "tcp", net.JoinHostPort(m.host, cmp.Or(port, "3306"))
	return DSN{KindMySQL, &parts{mysql: m, shown: a.show("mysql")}}, nil
}

// plainName returns the name of an option without what differs between programs: ssl-mode, ssl_mode and sslMode are one.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

// set takes one option of the DSN.
func (m *mysqlParts) set(name, value, folder string) error {
	if set, known := mySQLSettings[name]; known {
		if !slices.Contains(set.values, value) {
			return overridden(name, set.why)
		}
		return nil
	}
	if slices.Contains(mySQLOptions, name) {
		m.options[name] = value
		return nil
	}
	plain := plainName(name)
	if known, err := m.encryption.set(name, plain, value, folder); known {
		return err
	}
	switch {
	case slices.Contains(mySQLIgnored, plain):
		return nil
	case plain == "encoding" || plain == "characterencoding":
		if !slices.Contains([]string{"utf8", "utf8mb4", "unicode"}, plainName(value)) {
			return overridden(name, mySQLSettings["charset"].why)
		}
		return nil
	case plain == "unixsocket" || plain == "socketpath":
		if m.options["socket"] != "" {
			return fmt.Errorf(`read the DSN: %s and the option "socket" are the same; remove one`, called(name))
		}
		m.options["socket"] = value
		return nil
	case name == "connect_timeout":
		return m.timeout(name, value, time.Second)
	case plain == "connecttimeout":
		return m.timeout(name, value, time.Millisecond)
	}
	return fmt.Errorf("read the DSN: mysql: has no option %q; it takes %s", name, strings.Join(mySQLOptions, ", "))
}

// timeout takes a time limit that is a whole number of units.
func (m *mysqlParts) timeout(name, value string, unit time.Duration) error {
	limit, err := time.ParseDuration(value + "s")
	if err != nil || strings.Trim(value, "0123456789") != "" {
		return fmt.Errorf("read the DSN: %s must be a whole number", called(name))
	}
	m.options["timeout"] = (limit / time.Second * unit).String()
	return nil
}

// encryption is how a connection is encrypted, in the words of MySQL's own programs.
type encryption struct {
	name          string // what the DSN calls mode
	mode          string // one of tlsModes, or empty: the driver's
	ca, cert, key string // files
}

// The words for whether a connection is encrypted, and what of the server's certificate is checked.
const (
	tlsDisabled   = "DISABLED"
	tlsPreferred  = "PREFERRED"
	tlsRequired   = "REQUIRED" // nothing of it
	tlsVerifyCA   = "VERIFY_CA"
	tlsVerifyFull = "VERIFY_IDENTITY"
)

// tlsModes are the values of ssl-mode and its kin, without what differs between programs.
var tlsModes = map[string]string{
	"disabled": tlsDisabled, "disable": tlsDisabled, "false": tlsDisabled, "0": tlsDisabled, "no": tlsDisabled, "off": tlsDisabled,
	"preferred": tlsPreferred, "prefer": tlsPreferred,
	"required": tlsRequired, "require": tlsRequired, "noverify": tlsRequired, "skipverify": tlsRequired, "trust": tlsRequired, "acceptinvalidcerts": tlsRequired,
	"verifyca": tlsVerifyCA, "verifyidentity": tlsVerifyFull, "verifyfull": tlsVerifyFull, "strict": tlsVerifyFull,
	"true": tlsVerifyFull, "1": tlsVerifyFull, `{"rejectunauthorized":true}`: tlsVerifyFull, `{"rejectunauthorized":false}`: tlsRequired,
}

// set takes an option about encryption; known is false if it is about something else.
func (e *encryption) set(name, plain, value, folder string) (known bool, err error) {
	into := map[string]*string{
		"sslca": &e.ca, "sslcapath": nil, "sslcert": &e.cert, "sslkey": &e.key, "sslrootcert": &e.ca, "tlscafile": &e.ca, "serversslcert": &e.ca,
	}
	if file, found := into[plain]; found {
		if file == nil || value == "" {
			return true, fmt.Errorf("read the DSN: mysql: takes no folder of certificates; in place of %s give ssl-ca with a file", called(name))
		}
		if *file = value; !filepath.IsAbs(value) {
			*file = filepath.Join(folder, value)
		}
		return true, nil
	}
	mode := tlsModes[plainName(strings.ReplaceAll(value, " ", ""))]
	switch plain {
	case "sslmode", "ssl", "sslaccept":
	case "usessl", "requiressl":
		if mode == tlsVerifyFull {
			mode = tlsRequired // whether the certificate is checked, these programs say elsewhere
		}
	case "verifyservercertificate", "sslverifycert", "sslverifyidentity", "sslverifyservercert":
		if mode == tlsDisabled {
			mode = tlsRequired
		}
	default:
		return false, nil
	}
	switch {
	case mode == "":
		return true, fmt.Errorf("read the DSN: %s must be DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY", called(name))
	case e.mode == "" || e.mode == tlsRequired && mode != tlsDisabled:
		e.mode, e.name = mode, name
	case e.mode != mode && mode != tlsRequired || e.mode == tlsDisabled && mode != tlsDisabled:
		return true, fmt.Errorf("read the DSN: %s and %s contradict each other; remove one", called(e.name), called(name))
	}
	return true, nil
}
