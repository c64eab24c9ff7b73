package installer

import "time"

// LookHost is a known host that the daemon can look at by itself.
type LookHost struct {
	Project, ID string
	Seen        time.Time // when it was looked at last, by whatever task; zero: never
	Failed      int       // looks in a row that did not get to the agent
}
