package scripts_test

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "10") // they wait for processes more than they compute
	os.Exit(m.Run())
}
