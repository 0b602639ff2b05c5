package main

import (
	"strings"
	"testing"
	"time"

	"owlatsync/source"
)

func TestMySQLConfig(t *testing.T) {
	t.Parallel()
	parse := func(dsn string) source.MySQLParts {
		d, err := source.ParseDSN(dsn, "")
		if err != nil {
			t.Fatal(err)
		}
		return d.MySQL()
	}
	cfg, err := mysqlConfig(parse("mysql://app:p%40ss%2Fw%3Ard%3F%25@db.example.com/shop?multiStatements=true&parseTime=true&timeout=3s&connectionAttributes=job%3AA%26B"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.User != "app" || cfg.Passwd != "p@ss/w:rd?%" || cfg.Net != "tcp" || cfg.Addr != "db.example.com:3306" || cfg.DBName != "shop" {
		t.Errorf("connects to %s %s/%s as %s", cfg.Net, cfg.Addr, cfg.DBName, cfg.User)
	}
	if cfg.MultiStatements || cfg.ParseTime {
		t.Error("a source is one statement, and its values are text, whatever the DSN says")
	}
	if cfg.Timeout != 3*time.Second || cfg.ConnectionAttributes != "job:A&B" || len(cfg.Params) != 0 {
		t.Errorf("options: timeout %v, %q, %v", cfg.Timeout, cfg.ConnectionAttributes, cfg.Params)
	}
	if cfg, err = mysqlConfig(parse("mariadb://app@db.example.com:3307/shop")); err != nil || cfg.Timeout != connectTimeout || cfg.Addr != "db.example.com:3307" {
		t.Errorf("defaults: %v, timeout %v", err, cfg.Timeout)
	}
	_, err = mysqlConfig(parse("mysql://app:" + dsnPassword + "@db.example.com/shop?timeout=soon"))
	if err == nil || strings.Contains(err.Error(), dsnPassword) {
		t.Errorf("an option with a bad value: %v", err)
	}
}
