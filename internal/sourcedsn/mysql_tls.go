package sourcedsn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/go-sql-driver/mysql"
)

// apply sets how the driver encrypts. A file of certificates alone asks for a check of the server's certificate.
func (e encryption) apply(c *mysql.Config) error {
	mode := e.mode
	if mode == "" && (e.ca != "" || e.cert != "") {
		mode = tlsVerifyCA
	}
	if mode == "" {
		return nil
	}
	c.TLS, c.TLSConfig, c.AllowFallbackToPlaintext = nil, "", false
	if mode == tlsDisabled {
		return nil
	}
	t := &tls.Config{InsecureSkipVerify: mode == tlsPreferred || mode == tlsRequired}
	if e.ca != "" {
		pem, err := os.ReadFile(e.ca)
		if err != nil {
			return fmt.Errorf("read the file of ssl-ca: %w", err)
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("read the file of ssl-ca: %s holds no certificate in PEM form", e.ca)
		}
		if mode == tlsRequired {
			mode = tlsVerifyCA // as MySQL's own programs do
		}
	}
	if e.cert != "" || e.key != "" {
		pair, err := tls.LoadX509KeyPair(e.cert, e.key)
		if err != nil {
			return fmt.Errorf("read the files of ssl-cert and ssl-key: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if mode == tlsVerifyCA {
		roots := t.RootCAs
		t.InsecureSkipVerify = true // the name is not checked; the rest is, here
		t.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, roots) }
	}
	c.TLS, c.AllowFallbackToPlaintext = t, mode == tlsPreferred
	return nil
}

// verifyChain checks the server's certificate, but not that it is for the server's name.
func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}
