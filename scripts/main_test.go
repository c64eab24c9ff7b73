package scripts_test

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4") // they wait for processes, but more at once keep two cores from all work
	os.Exit(m.Run())
}
