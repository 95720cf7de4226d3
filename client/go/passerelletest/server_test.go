package passerelletest

import (
	"net"
	"os"
	"strings"
	"testing"
)

func TestAServerIsThereUntilItIsStopped(t *testing.T) {
	server, err := New()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", server.Address)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("stopped again, as Start does at the end of a test: %v", err)
	}
	if conn, err := net.Dial("tcp", server.Address); err == nil {
		conn.Close()
		t.Error("it is there still")
	}
	if _, err := os.Stat(server.folder); !os.IsNotExist(err) {
		t.Errorf("its data is there still: %v", err)
	}
}

func TestAServerThatDoesNotStartSaysWhy(t *testing.T) {
	if server, err := New("--no-such-option"); err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("got %v, %v", server, err)
	}
	t.Setenv("PASSERELLE_BIN", t.TempDir())
	if server, err := New(); err == nil {
		t.Errorf("without a program: got %v", server)
	}
}
