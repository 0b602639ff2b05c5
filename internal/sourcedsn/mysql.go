package sourcedsn

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
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
}

// MySQL returns what the driver needs to open the source, including the password. It fails if the DSN names no MySQL source, or if
// the driver refuses the value of an option. The caller may change the configuration.
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
	if c.TLS != nil && !c.TLS.InsecureSkipVerify {
		c.TLS.ServerName = d.mysql.host // the driver used its default host
	}
	c.User, c.Passwd, c.DBName = d.mysql.user, d.mysql.password, d.mysql.database
	if c.Timeout == 0 {
		c.Timeout = connectTimeout
	}
	c.Logger = &mysql.NopLogger{} // what it would print is also returned as an error
	return c, nil
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
	"charset":         {[]string{"utf8mb4"}, "texts are read as utf8mb4"},
	"collation":       {nil, "texts are read as utf8mb4, with the server's collation for it"},
	"loc":             {[]string{"UTC"}, "times are read as texts, in UTC"},
	"multiStatements": {[]string{"false", "FALSE", "False", "0"}, "a source is one query"},
	"parseTime":       {[]string{"false", "FALSE", "False", "0"}, "times are read as texts, in UTC"},
}

func parseMySQL(rest string) (DSN, error) {
	a, err := splitURL(rest)
	if err != nil {
		return DSN{}, err
	}
	options, err := parseOptions(a.options)
	if err != nil {
		return DSN{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if set, known := mySQLSettings[name]; known {
			if !slices.Contains(set.values, options[name]) {
				return DSN{}, overridden(name, set.why)
			}
			delete(options, name)
		} else if !slices.Contains(mySQLOptions, name) {
			return DSN{}, fmt.Errorf("read the DSN: mysql: has no option %q; it takes %s", name, strings.Join(mySQLOptions, ", "))
		}
	}
	m := mysqlParts{user: a.user, password: a.password, database: a.path, options: options}
	if socket, given := options["socket"]; given {
		switch {
		case socket == "":
			return DSN{}, errors.New(`read the DSN: the option "socket" is empty; give the path of a socket, or remove it`)
		case a.hosts != "" && a.hosts != "localhost":
			return DSN{}, errors.New(`read the DSN: there is a host and the option "socket"; remove one`)
		}
		delete(options, "socket")
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
