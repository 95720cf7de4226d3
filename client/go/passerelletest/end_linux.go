package passerelletest

import (
	"os/exec"
	"syscall"
)

// endWithThread lets the system kill the server when the thread that starts it ends, so that no server outlives a test
// that was killed or ran out of time.
func endWithThread(process *exec.Cmd) {
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
