#!/bin/sh
# verify.sh [SETTINGS] waits for the agent to be healthy and says what it found.
# With TRIPOD_ABSENT=yes there must be none, nor anything that one leaves.
#
# Exit code: 0 healthy and of the wanted version, 10 not root, 16 not healthy
# after TRIPOD_WAIT seconds, or something left, 17 another version than
# TRIPOD_VERSION, 21 not able to report though TRIPOD_REQUIRE_REPORTING=yes.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/agent.sh"
. "$here/service.sh"
. "$here/json.sh"
. "$here/config.sh"
. "$here/reporting.sh"

load_settings "$@"
need_root
agent_places
if [ "$TRIPOD_ABSENT" = yes ]; then
	left=$(leftovers)
	look
	find_version
	report
	[ -z "$left" ] || die "$E_UNHEALTHY" "left behind: $left"
	exit 0
fi
judge
