#!/bin/sh
# configure.sh [SETTINGS] changes the configuration of the agent that is there, and nothing
# else: the agent is started anew with it, and gets the old one back where that fails. One
# that is stopped stays so.
#
# Exit code: 0 the agent is configured so, and healthy, 13 there is none; README.md has the
# others.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/init.sh"
. "$here/agent.sh"
. "$here/boot.sh"
. "$here/service.sh"
. "$here/json.sh"
. "$here/config.sh"
. "$here/reporting.sh"
. "$here/keep.sh"
. "$here/reconfigure.sh"

load_settings "$@"
need_root
agent_places
make_work
look
find_version
if [ "$state" = none ]; then
	report
	die "$E_PACKAGE" "there is no agent to configure"
fi
tell_crashed
was=$state
reconfigure
