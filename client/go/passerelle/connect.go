package passerelle

import (
	_ "embed" // the service config
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

// Version of this package.
const Version = "0.1.0"

// DefaultAddress is where a server listens that was told nothing else.
const DefaultAddress = "127.0.0.1:7701"

const messageBytes = 16 << 20

// serviceConfig says which calls change nothing and may be repeated when the server was away. All languages share it;
// client/go/generate copies it from client/service_config.json.
//
//go:embed service_config.json
var serviceConfig string

// Option is a setting of Connect.
type Option func(*settings)

type settings struct {
	security
	instance string
	dial     []grpc.DialOption
}

// WithInstance chooses the instance that the client works in; "default" without it.
func WithInstance(id string) Option { return func(s *settings) { s.instance = id } }

// WithKey gives the API key, psk.ID.SECRET. It is sent with every call: over TLS, or in plaintext to this machine,
// nowhere else.
func WithKey(key string) Option { return func(s *settings) { s.key = key } }

// WithKeyFile gives the file that holds the API key and nothing else.
func WithKeyFile(path string) Option { return func(s *settings) { s.keyFile = path } }

// WithCA makes the client speak TLS and trust the roots in a PEM file, or SystemRoots.
func WithCA(path string) Option { return func(s *settings) { s.ca = path } }

// WithCertificate makes the client speak TLS and show a certificate; both are PEM files.
func WithCertificate(certificate, key string) Option {
	return func(s *settings) { s.cert, s.certKey = certificate, key }
}

// WithServerName is the name that the server's certificate must have, if not the address's.
func WithServerName(name string) Option { return func(s *settings) { s.serverName = name } }

// WithDialOptions adds options of gRPC, for example interceptors. They come last and may undo what Connect promises.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

// Connect makes a client of the server at target, for example 127.0.0.1:7701 or unix:/run/passerelle.sock. It
// connects at the first call: a server that is away shows there. Close it when it is no longer needed.
//
// Without a target ("") it is PASSERELLE_ADDRESS, or else DefaultAddress, and what the options do not say is read
// from PASSERELLE_API_KEY, PASSERELLE_API_KEY_FILE, PASSERELLE_CA_FILE, PASSERELLE_CLIENT_CERT and
// PASSERELLE_CLIENT_KEY. With a target nothing is read from the environment: a key is not sent to a server that it
// was not meant for.
//
// The error, if any, is ErrInvalidUse: a file that cannot be read, or a key that would leave this machine in plaintext.
func Connect(target string, options ...Option) (*Client, error) {
	settings := settings{instance: "default"}
	for _, option := range options {
		option(&settings)
	}
	if target == "" {
		if target = os.Getenv("PASSERELLE_ADDRESS"); target == "" {
			target = DefaultAddress
		}
		settings.security = settings.orFromEnvironment()
	}
	dial, err := settings.dialOptions(target)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(goTarget(target), dial...)
	if err != nil {
		return nil, misuse("%s: %w", target, err)
	}
	return newClient(conn, settings.instance), nil
}

func (s settings) dialOptions(target string) ([]grpc.DialOption, error) {
	key, err := s.checkedKey(target)
	if err != nil {
		return nil, err
	}
	transport, err := s.transport()
	if err != nil {
		return nil, err
	}
	options := append(channelOptions(), grpc.WithTransportCredentials(transport))
	if key != "" {
		options = append(options, grpc.WithPerRPCCredentials(keySender{key, s.tls()}))
	}
	if isLocal(target) {
		options = append(options, grpc.WithNoProxy())
	}
	return append(options, s.dial...), nil
}

func channelOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(), // that of a name server; the default one holds
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytes)),
		grpc.WithUserAgent("passerelle-go/" + Version),
		// A connection that went silent is given up after both; the server takes pings 10 s apart and more.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		// A server that comes back is found within a second, not after the default's two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
			},
			MinConnectTimeout: 20 * time.Second,
		}),
		grpc.WithChainUnaryInterceptor(callUnary),
		grpc.WithChainStreamInterceptor(callStream),
	}
}

// goTarget is the target in the words of Go's gRPC, which does not know ipv4: and ipv6:.
func goTarget(target string) string {
	for _, scheme := range []string{"ipv4:", "ipv6:"} {
		if address, found := strings.CutPrefix(target, scheme); found {
			return "passthrough:///" + address
		}
	}
	return target
}
