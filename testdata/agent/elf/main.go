// Program elf is the stand-in for the agent's two programs as they really are:
// compiled, and with a child (bin/agent) that runs under its parent's argv, so
// that `ps` shows two processes "./telescope". The scripts' test builds it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	if filepath.Base(self) == "agent" {
		if len(os.Args) == 2 && (os.Args[1] == "-v" || os.Args[1] == "-version") {
			fmt.Println("1.0.14.1")
			return
		}
		time.Sleep(time.Hour)
		return
	}
	// bin/telescope: whatever its arguments are, it starts running.
	child := exec.Command(filepath.Join(filepath.Dir(self), "agent"))
	child.Args = os.Args
	child.Stdout = os.Stdout
	if err := child.Run(); err != nil {
		os.Exit(1)
	}
}
