package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSFiles names what a TLS client needs; all of it is optional.
type TLSFiles struct {
	CA, Cert, Key      string
	InsecureSkipVerify bool
}

// Config loads the files.
func (f TLSFiles) Config() (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: f.InsecureSkipVerify, //nolint:gosec // asked for by a flag that says so
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("read TLS CA: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS CA %s holds no PEM certificate", f.CA)
		}
	}
	return cfg, f.addClientCertificate(cfg)
}

func (f TLSFiles) addClientCertificate(cfg *tls.Config) error {
	if f.Cert == "" && f.Key == "" {
		return nil
	}
	if f.Cert == "" || f.Key == "" {
		return errors.New("a TLS client certificate needs both its certificate and its key file")
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return fmt.Errorf("load TLS client certificate: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}
