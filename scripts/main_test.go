package scripts_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// shortRun is what -short runs: one life of an agent, and what starts no agent.
const shortRun = "^TestLifecycle$/^sh$|^(TestRefusals|TestForgedNamesKillNobody|TestNameInStat|TestModesFollowNoLinks)$"

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // they wait more than they work
	if chosen := flag.Lookup("test.run"); testing.Short() && chosen.Value.String() == "" {
		fmt.Println("-short: only", shortRun)
		_ = chosen.Value.Set(shortRun)
	}
	os.Exit(m.Run())
}
