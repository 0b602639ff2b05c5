package alert

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// smtpServer is a small mail server on a real socket. Its fields may be set before the first connection.
type smtpServer struct {
	port     int
	tls      string // as in the configuration
	password string // of the user "robot"; empty: nobody logs in
	refuse   string // a recipient
	mute     bool   // it says nothing

	trust *tls.Config // of clients
	own   *tls.Config

	mu    sync.Mutex
	mails []letterGot
}

// letterGot is a mail as it came.
type letterGot struct {
	from      string
	to        []string
	text      string
	encrypted bool
	user      string
}

func serveSMTP(t *testing.T, set func(*smtpServer)) *smtpServer {
	t.Helper()
	s := &smtpServer{tls: "off"}
	s.own, s.trust = certificate(t)
	if set(s); s.tls == "" {
		s.tls = "starttls"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	var all sync.WaitGroup
	var conns sync.Map
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(c, true)
			all.Go(func() {
				defer c.Close()
				s.talk(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		all.Wait()
	})
	return s
}

// certificate returns what a server for 127.0.0.1 and its clients need.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}

// talk speaks with one client until it leaves.
func (s *smtpServer) talk(c net.Conn) {
	encrypted := false
	if s.tls == "implicit" {
		c, encrypted = tls.Server(c, s.own), true
	}
	in := bufio.NewReader(c)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(c, format+"\r\n", args...) }
	if s.mute {
		_, _ = in.ReadByte()
		return
	}
	var mail letterGot
	user := ""
	say("220 mail.example.com ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch verb, rest, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail.example.com")
			if s.tls == "starttls" && !encrypted {
				say("250-STARTTLS")
			}
			if s.password != "" {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			secured := tls.Server(c, s.own)
			c, encrypted = secured, true
			in = bufio.NewReader(c)
		case "AUTH":
			said, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if err != nil || string(said) != "\x00robot\x00"+s.password {
				say("535 5.7.8 %s is not welcome", said)
				continue
			}
			user = "robot"
			say("235 welcome")
		case "MAIL":
			if s.password != "" && user == "" {
				say("530 log in first")
				continue
			}
			mail = letterGot{from: bracketed(rest), encrypted: encrypted, user: user}
			say("250 ok")
		case "RCPT":
			if to := bracketed(rest); to == s.refuse {
				say("550 5.1.1 <%s> is nobody here", to)
				continue
			}
			mail.to = append(mail.to, bracketed(rest))
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil && err != io.EOF {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			mail.text = text.String()
			s.mu.Lock()
			s.mails = append(s.mails, mail)
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default: // RSET, NOOP
			say("250 ok")
		}
	}
}

func bracketed(text string) string {
	_, rest, _ := strings.Cut(text, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}
