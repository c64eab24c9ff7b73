package scripts

import "embed"

// Host is what Tripod itself runs around the scripts that do the work:
// probing, starting, following, stopping, cleaning. See host/lib.sh.
//
//go:embed host/*.sh
var Host embed.FS
