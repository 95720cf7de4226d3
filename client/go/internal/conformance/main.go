// The conformance runner: does what each line on its standard input says with this client, and answers with a line.
// What is expected is known to tests/conformance only; tests/conformance/README.md is the protocol.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"passerelle.dev/go/passerelle"
)

// request is any step; each reads what it needs.
type request struct {
	ID     json.RawMessage `json:"id"`
	Op     string          `json:"op"`
	Client string          `json:"client"`
	Step   json.RawMessage `json:"step"`

	line []byte
}

// read fills what a step needs from its line; numbers in it stay as they were written.
func (r request) read(into any) error {
	if err := decode(r.line, into); err != nil {
		return invalid(err)
	}
	return nil
}

// operation does one step. What it returns becomes the JSON of the answer.
type operation func(ctx context.Context, runner *runner, request request) (any, error)

var operations = map[string]operation{
	"hello": func(context.Context, *runner, request) (any, error) {
		return map[string]string{"language": "go", "client": passerelle.Version}, nil
	},
	"connect":          connect,
	"close":            closeClient,
	"call":             call,
	"pages":            pages,
	"create_attribute": createAttribute,
	"ingest":           ingest,
	"export":           export,
	"members":          members,
	"cancel":           cancel,
}

// runner is what steps share: the clients, the steps under way, the way out.
type runner struct {
	mutex    sync.Mutex
	clients  map[string]*passerelle.Client
	underWay map[string]context.CancelFunc // by id
	waiting  chan func()
	out      *json.Encoder
}

func main() {
	runner := &runner{
		clients: map[string]*passerelle.Client{}, underWay: map[string]context.CancelFunc{},
		waiting: make(chan func(), 1000), out: json.NewEncoder(os.Stdout),
	}
	var steps sync.WaitGroup
	steps.Go(func() {
		for step := range runner.waiting {
			step()
		}
	})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		line := append([]byte(nil), lines.Bytes()...)
		request := request{Client: "main", line: line}
		if err := json.Unmarshal(line, &request); err != nil {
			fmt.Fprintln(os.Stderr, "unreadable line:", err)
			os.Exit(1)
		}
		runner.begin(request)
	}
	close(runner.waiting)
	steps.Wait()
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// begin does steps one after the other, but a cancel at once.
func (r *runner) begin(request request) {
	ctx, cancel := context.WithCancel(context.Background())
	if request.Op == "cancel" {
		r.answer(ctx, request)
		cancel()
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.underWay[string(request.ID)] = cancel
	r.waiting <- func() {
		defer cancel()
		r.answer(ctx, request)
	}
}

// answer does a step and writes what came of it.
func (r *runner) answer(ctx context.Context, request request) {
	ok, err := r.do(ctx, request)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.underWay, string(request.ID))
	answer := map[string]any{"id": request.ID}
	if err != nil {
		answer["error"] = describe(err)
	} else {
		answer["ok"] = ok
	}
	if err := r.out.Encode(answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (r *runner) do(ctx context.Context, request request) (any, error) {
	operation, known := operations[request.Op]
	if !known {
		return nil, unknownStep(request.Op)
	}
	return operation(ctx, r, request)
}

// client is the one that a step names.
func (r *runner) client(request request) (*passerelle.Client, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	client, there := r.clients[request.Client]
	if !there {
		return nil, invalid(fmt.Errorf("no client %q", request.Client))
	}
	return client, nil
}

func cancel(_ context.Context, r *runner, request request) (any, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if cancel, there := r.underWay[string(request.Step)]; there {
		cancel()
	}
	return struct{}{}, nil
}

func connect(_ context.Context, r *runner, request request) (any, error) {
	var said struct {
		Target, Instance, Ca, Cert, Key string
		CertKey                         string `json:"cert_key"`
		ServerName                      string `json:"server_name"`
		KeyFile                         string `json:"key_file"`
		Env                             map[string]*string
	}
	if err := request.read(&said); err != nil {
		return nil, err
	}
	var options []passerelle.Option
	if said.Instance != "" {
		options = append(options, passerelle.WithInstance(said.Instance))
	}
	options = append(options, passerelle.WithCA(said.Ca), passerelle.WithCertificate(said.Cert, said.CertKey),
		passerelle.WithServerName(said.ServerName), passerelle.WithKey(said.Key), passerelle.WithKeyFile(said.KeyFile))
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for name, value := range said.Env {
		defer setEnvironment(name, value)()
	}
	client, err := passerelle.Connect(said.Target, options...)
	if err != nil {
		return nil, err
	}
	if before, there := r.clients[request.Client]; there {
		before.Close()
	}
	r.clients[request.Client] = client
	return struct{}{}, nil
}

// setEnvironment sets a variable, or unsets it, and returns what undoes that.
func setEnvironment(name string, value *string) func() {
	before, there := os.LookupEnv(name)
	if value == nil {
		os.Unsetenv(name)
	} else {
		os.Setenv(name, *value)
	}
	return func() {
		if there {
			os.Setenv(name, before)
		} else {
			os.Unsetenv(name)
		}
	}
}

func closeClient(_ context.Context, r *runner, request request) (any, error) {
	client, err := r.client(request)
	if err != nil {
		return nil, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.clients, request.Client)
	return struct{}{}, client.Close()
}

// ---- errors -------------------------------------------------------------------------------------

type unknownStep string

func (u unknownStep) Error() string { return fmt.Sprintf("unknown step %q", string(u)) }

// invalid is an error of the step itself, which no call was made for.
func invalid(err error) error { return errors.Join(passerelle.ErrInvalidUse, err) }

func describe(err error) map[string]any {
	var unknown unknownStep
	var failure *passerelle.Error
	switch {
	case errors.As(err, &unknown):
		return map[string]any{"code": "UNKNOWN_STEP", "message": err.Error()}
	case errors.Is(err, passerelle.ErrInvalidUse):
		return map[string]any{"code": "INVALID_USE", "message": err.Error()}
	case !errors.As(err, &failure):
		return map[string]any{"code": "UNKNOWN", "message": err.Error()}
	}
	fields := []string{}
	for _, violation := range failure.FieldViolations {
		fields = append(fields, violation.Field)
	}
	return map[string]any{
		"code": failure.CodeName(), "reason": failure.Reason, "message": failure.Message, "fields": fields,
		"metadata": failure.Metadata, "retry_delay_ms": failure.RetryDelay.Milliseconds(), "retryable": failure.Retryable(),
	}
}
