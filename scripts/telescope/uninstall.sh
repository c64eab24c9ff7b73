#!/bin/sh
# uninstall.sh [SETTINGS] removes the agent: processes, files, service. Where
# there is none, that is fine too.
#
# Exit code: 0 nothing is left, 10 not root, 14 something could not be removed.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/agent.sh"
. "$here/service.sh"
. "$here/package.sh"
. "$here/keep.sh"

load_settings "$@"
need_root
agent_places
look
removed=$state
remove_agent || die "$E_IN_THE_WAY" "the agent could not be removed wholly"
left=$(leftovers)
look
version=
report
[ -z "$left" ] || die "$E_IN_THE_WAY" "left behind: $left"
# What a replacement that was cut off had found is not wanted back any more.
[ -z "$TRIPOD_KEEP" ] || discard "$TRIPOD_KEEP.next" ||
	say "the agent is removed, but not the copy of it in $TRIPOD_KEEP.next: remove that by hand, or a later install that fails puts it back"
found removed "$removed"
