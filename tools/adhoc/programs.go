//go:build programs

// Package adhoc names the programs for calls by hand that tools/setup builds, so that `go mod tidy` keeps what they need:
// with go.mod and go.sum every module is pinned, and nothing is asked of the module proxy but the modules themselves.
package adhoc

import (
	_ "github.com/bojand/ghz/cmd/ghz"
	_ "github.com/fullstorydev/grpcui/cmd/grpcui"
	_ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
)
