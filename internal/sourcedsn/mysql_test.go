package sourcedsn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"owlatsync/internal/sourcedsn"
)

func TestMySQLConfig(t *testing.T) {
	t.Parallel()
	const dsnPassword = "topsecret"
	config := func(dsn string) (*mysql.Config, error) { return must(sourcedsn.Parse(dsn, "")).MySQL() }
	cfg, err := config("mysql://app:p%40ss%2Fw%3Ard%3F%25@db.example.com/shop?multiStatements=false&parseTime=0&charset=utf8mb4&loc=UTC&timeout=3s&connectionAttributes=job%3AA%26B")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.User != "app" || cfg.Passwd != "p@ss/w:rd?%" || cfg.Net != "tcp" || cfg.Addr != "db.example.com:3306" || cfg.DBName != "shop" {
		t.Errorf("connects to %s %s/%s as %s", cfg.Net, cfg.Addr, cfg.DBName, cfg.User)
	}
	if cfg.MultiStatements || cfg.ParseTime {
		t.Error("a source is one statement, and its values are text")
	}
	if cfg.Timeout != 3*time.Second || cfg.ConnectionAttributes != "job:A&B" || len(cfg.Params) != 0 {
		t.Errorf("options: timeout %v, %q, %v", cfg.Timeout, cfg.ConnectionAttributes, cfg.Params)
	}
	if cfg, err = config("mariadb://app@db.example.com:3307/shop"); err != nil || cfg.Timeout != 15*time.Second || cfg.Addr != "db.example.com:3307" {
		t.Errorf("defaults: %v, timeout %v", err, cfg.Timeout)
	}
	_, err = config("mysql://app:" + dsnPassword + "@db.example.com/shop?timeout=soon")
	if err == nil || strings.Contains(err.Error(), dsnPassword) {
		t.Errorf("an option with a bad value: %v", err)
	}
	for dsn, want := range map[string]string{
		"mysql://db.example.com/shop?tls=true": "db.example.com", "mysql://[2001:db8::1]:3307/shop?tls=true": "2001:db8::1", "mysql:///shop?tls=true": "127.0.0.1",
	} {
		if cfg, err := config(dsn); err != nil || cfg.TLS == nil || cfg.TLS.ServerName != want || cfg.TLS.InsecureSkipVerify {
			t.Errorf("%s: %v, TLS %+v; want the name %q to be verified", dsn, err, cfg, want)
		}
	}
}
