package store

import "os"

// The test binary starts itself again as a child that is killed, limited or
// kept waiting; the role is in the environment.
const childEnv = "TRIPOD_STORE_TEST_CHILD"

func childRole() (string, bool) { return os.LookupEnv(childEnv) }

func childMain(role string) { os.Exit(2) }
