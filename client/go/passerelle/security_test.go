package passerelle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const someKey = "psk.abc.s3cr3t"

func TestWhichTargetsAreThisMachine(t *testing.T) {
	for target, wanted := range map[string]bool{
		"127.0.0.1:7701": true, "127.9.9.9": true, "localhost:1": true, "LOCALHOST": true, "[::1]:7701": true, "::1": true,
		"unix:/run/p.sock": true, "unix-abstract:p": true, "dns:///localhost:1": true, "dns:localhost:1": true,
		"ipv4:127.0.0.1:1": true, "ipv6:[::1]:1": true,
		"": false, "cdp.example.com:7701": false, "10.0.0.1:1": false, "127.0.0.1.example.com:1": false,
		"[::ffff:127.0.0.1]:1": false, "dns://127.0.0.1/example.com": false, "ipv4:127.0.0.1:1,10.0.0.1:1": false,
		"localhost.example.com:1": false, "passthrough:///127.0.0.1:1": false, "0.0.0.0:1": false, "127.0.0.01:1": false,
	} {
		if isLocal(target) != wanted {
			t.Errorf("%q: wanted %v", target, wanted)
		}
	}
}

func TestAKeyNeverLeavesThisMachineInPlaintext(t *testing.T) {
	file := writeFile(t, someKey)
	for _, option := range []Option{WithKey(someKey), WithKeyFile(file)} {
		if _, err := Connect("cdp.example.com:7701", option); !errors.Is(err, ErrInvalidUse) {
			t.Errorf("got %v", err)
		}
		for _, good := range [][]Option{{option}, {option, WithCA(SystemRoots)}} {
			target := map[bool]string{true: "127.0.0.1:1", false: "cdp.example.com:7701"}[len(good) == 1]
			client, err := Connect(target, good...)
			if err != nil {
				t.Fatal(err)
			}
			client.Close()
		}
	}
	sender := keySender{someKey, true}
	if !sender.RequireTransportSecurity() {
		t.Error("over TLS the key insists on TLS")
	}
}

func TestWhatCannotBeUsedIsRefusedBeforeAnyCall(t *testing.T) {
	empty, text, broken := writeFile(t, ""), writeFile(t, "hello"), writeFile(t, "-----BEGIN CERTIFICATE-----\nx\n")
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for name, options := range map[string][]Option{
		"a key and a file of one":        {WithKey(someKey), WithKeyFile(writeFile(t, someKey))},
		"another secret":                 {WithKey("0123456789abcdef")},
		"a key with a space":             {WithKey("psk.a b.c")},
		"a key without a part":           {WithKey("psk..c")},
		"a key that is too long":         {WithKey("psk.a." + strings.Repeat("x", 512))},
		"an empty key file":              {WithKeyFile(empty)},
		"a key file that is not there":   {WithKeyFile(nowhere)},
		"a CA that is not there":         {WithCA(nowhere)},
		"a CA that is no PEM":            {WithCA(text)},
		"a CA that cannot be read":       {WithCA(broken)},
		"a certificate without its key":  {WithCertificate(broken, "")},
		"a key without its certificate":  {WithCertificate("", broken)},
		"a certificate that is no PEM":   {WithCertificate(text, broken)},
		"a certificate that is unusable": {WithCertificate(broken, broken)},
	} {
		client, err := Connect("127.0.0.1:1", options...)
		if !errors.Is(err, ErrInvalidUse) {
			t.Errorf("%s: got %v, %v", name, client, err)
			continue
		}
		if strings.Contains(err.Error(), "abcdef") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error holds the key: %v", name, err)
		}
	}
}

func TestTheEnvironmentIsReadOnlyWithoutATarget(t *testing.T) {
	t.Setenv("PASSERELLE_ADDRESS", "cdp.example.com:7701")
	t.Setenv("PASSERELLE_API_KEY", someKey)
	t.Setenv("PASSERELLE_CA_FILE", "")
	if _, err := Connect(""); !errors.Is(err, ErrInvalidUse) || !strings.Contains(err.Error(), "cdp.example.com") {
		t.Errorf("address and key of the environment: got %v", err)
	}
	client, err := Connect("cdp.example.com:7701")
	if err != nil {
		t.Fatalf("a target was given: got %v", err)
	}
	client.Close()
	t.Setenv("PASSERELLE_API_KEY_FILE", "nowhere")
	found := security{}.orFromEnvironment()
	if found.key != someKey || found.keyFile != "" {
		t.Errorf("the key comes before its file: got %+v", found)
	}
	if own := (security{keyFile: "own"}).orFromEnvironment(); own.key != "" || own.keyFile != "own" {
		t.Errorf("what is said comes first: got %+v", own)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
