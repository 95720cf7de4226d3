// Package passerelletest starts a real server for tests of programs that use Passerelle.
//
//	func TestSomething(t *testing.T) {
//		client, err := passerelle.Connect(passerelletest.Start(t).Address)
//		...
//	}
package passerelletest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start or to stop, on a machine that is busy with other things.
const patience = 60 * time.Second

// Server is a passerelled on a free port of this machine, which asks for no credentials, with its data in a temporary
// directory.
type Server struct {
	// Address to connect to.
	Address string

	process *exec.Cmd
	folder  string
	ended   chan error
	stop    sync.Once
	stopped error // by stop
}

// Start starts a server that stops when the test ends, if not before; the test fails if there is none. `options` are
// flags of passerelled. The program is looked for in the folder that PASSERELLE_BIN names or, without it, in the PATH.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	server, err := New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// New starts a server, as Start does, for a program that is no test. Stop it.
func New(options ...string) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "passerelle-")
	if err != nil {
		return nil, err
	}
	arguments := []string{"--data", filepath.Join(folder, "data"), "--listen", "127.0.0.1:0", "--insecure-loopback"}
	server := &Server{process: exec.Command(program, append(arguments, options...)...), folder: folder}
	if err := server.start(); err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("%s did not start: %w", program, err)
	}
	return server, nil
}

func find() (string, error) {
	if folder := os.Getenv("PASSERELLE_BIN"); folder != "" {
		return exec.LookPath(filepath.Join(folder, "passerelled"))
	}
	program, err := exec.LookPath("passerelled")
	if err != nil {
		return "", fmt.Errorf("%w; set PASSERELLE_BIN to the folder that holds it", err)
	}
	return program, nil
}

func (s *Server) start() error {
	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stderr = log
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	started, serving := make(chan error, 1), make(chan string, 1)
	s.ended = make(chan error, 1)
	go func() {
		// The system ends the server with the thread that started it: this one, which lives as long as the server.
		runtime.LockOSThread()
		endWithThread(s.process)
		if err := s.process.Start(); err != nil {
			started <- err
			return
		}
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n')
		serving <- line
		_, _ = io.Copy(io.Discard, lines)
		s.ended <- s.process.Wait()
	}()
	select {
	case err := <-started:
		return err
	case line := <-serving:
		return s.serves(line)
	case <-time.After(patience):
		return fmt.Errorf("it said nothing for %s: %w", patience, s.kill())
	}
}

// serves reads the line that the server prints once it takes calls.
func (s *Server) serves(line string) error {
	var said struct{ Address string }
	if err := json.Unmarshal([]byte(line), &said); err != nil || said.Address == "" {
		_ = s.kill()
		log, _ := os.ReadFile(filepath.Join(s.folder, "log"))
		return fmt.Errorf("%s", log)
	}
	s.Address = said.Address
	return nil
}

func (s *Server) kill() error {
	_ = s.process.Process.Kill()
	return <-s.ended
}

// Stop ends the server in order and removes its data; once it was stopped it does nothing. The error is of a server
// that did not end well.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopped = s.end() })
	return s.stopped
}

func (s *Server) end() error {
	defer os.RemoveAll(s.folder)
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		return fmt.Errorf("passerelled did not stop within %s: %w", patience, s.kill())
	}
}
