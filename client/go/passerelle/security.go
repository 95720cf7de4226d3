package passerelle

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// SystemRoots, as a CA, trusts what this machine trusts.
const SystemRoots = "system"

const keyBytes = 512

// security is who calls and whom it trusts. Files are read once, when the client is made. No error text holds a key.
type security struct {
	key        string
	keyFile    string
	ca         string
	cert       string
	certKey    string
	serverName string
}

func (s security) tls() bool    { return s.ca != "" || s.cert != "" || s.certKey != "" }
func (s security) hasKey() bool { return s.key != "" || s.keyFile != "" }

// orFromEnvironment is this, and from the environment what it does not say.
func (s security) orFromEnvironment() security {
	orElse := func(value *string, name string) {
		if *value == "" {
			*value = os.Getenv(name)
		}
	}
	if !s.hasKey() {
		orElse(&s.key, "PASSERELLE_API_KEY")
		if s.key == "" {
			orElse(&s.keyFile, "PASSERELLE_API_KEY_FILE")
		}
	}
	orElse(&s.ca, "PASSERELLE_CA_FILE")
	orElse(&s.cert, "PASSERELLE_CLIENT_CERT")
	orElse(&s.certKey, "PASSERELLE_CLIENT_KEY")
	return s
}

// checkedKey is the API key, empty if there is none.
func (s security) checkedKey(target string) (string, error) {
	if s.hasKey() && !s.tls() && !isLocal(target) {
		return "", misuse("the API key is not sent to %s in plaintext, where others could read it: give the CA of its "+
			"certificate (WithCA), or connect on the server's own machine", target)
	}
	if s.key != "" && s.keyFile != "" {
		return "", misuse("got an API key and a file of one, wanted one of the two")
	}
	key, place := s.key, "the API key"
	if s.keyFile != "" {
		data, err := os.ReadFile(s.keyFile)
		if err != nil {
			return "", misuse("key file: %w", err)
		}
		key, place = strings.TrimSpace(string(data)), "key file "+s.keyFile
		if key == "" {
			return "", misuse("%s: is empty", place)
		}
	}
	if key != "" && !looksLikeKey(key) {
		return "", misuse("%s: got %d bytes that are no API key, wanted psk.ID.SECRET", place, len(key))
	}
	return key, nil
}

// looksLikeKey is false for another secret that was read by mistake (the server's own key file): it must not be sent.
func looksLikeKey(text string) bool {
	parts := strings.Split(text, ".")
	if len(text) > keyBytes || len(parts) < 3 || parts[0] != "psk" {
		return false
	}
	for _, part := range parts {
		if part == "" {
			return false
		}
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// transport is how the connection is made: TLS if any of its files is given, plaintext otherwise.
func (s security) transport() (credentials.TransportCredentials, error) {
	if !s.tls() {
		return insecure.NewCredentials(), nil
	}
	if (s.cert == "") != (s.certKey == "") {
		return nil, misuse("got one of a client certificate and its key, wanted both")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.serverName}
	if s.ca != "" && s.ca != SystemRoots {
		roots, err := readPEM(s.ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(roots) {
			return nil, misuse("%s: holds no certificate that can be read", s.ca)
		}
	}
	if s.cert == "" {
		return credentials.NewTLS(config), nil
	}
	certificate, err := s.certificate()
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{certificate}
	return credentials.NewTLS(config), nil
}

func (s security) certificate() (tls.Certificate, error) {
	cert, err := readPEM(s.cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readPEM(s.certKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, misuse("%s and %s: %w", s.cert, s.certKey, err)
	}
	return pair, nil
}

func readPEM(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, useError{err}
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		return nil, misuse("%s: is not PEM (-----BEGIN ...)", path)
	}
	return data, nil
}

// isLocal tells whether a target is on this machine whatever a name server says; false if in doubt.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	host := target
	for _, scheme := range []string{"dns:///", "ipv4:", "ipv6:", "dns:"} {
		rest, found := strings.CutPrefix(target, scheme)
		if found && !(scheme == "dns:" && strings.HasPrefix(rest, "//")) {
			host = rest
			break
		}
	}
	return isLoopback(host)
}

func isLoopback(address string) bool {
	host := address
	if rest, found := strings.CutPrefix(address, "["); found {
		host, _, _ = strings.Cut(rest, "]")
	} else if strings.Count(address, ":") == 1 {
		host, _, _ = strings.Cut(address, ":")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && !ip.Is4In6()
}

// keySender sends the key with every call. Over TLS it insists on TLS; in plaintext a client exists only to this
// machine.
type keySender struct {
	key string
	tls bool
}

func (k keySender) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + k.key}, nil
}

func (k keySender) RequireTransportSecurity() bool { return k.tls }
