#!/bin/sh
# configure.sh [SETTINGS] changes the configuration of the installed agent, and nothing
# else: the agent is restarted with it, and gets the previous one back if that fails. A
# stopped agent stays stopped.
#
# Exit code: 0 the agent has the configuration and is healthy or stopped as before, 13
# there is no agent; README.md has the others.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/init.sh"
. "$here/agent.sh"
. "$here/elsewhere.sh"
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
refuse_elsewhere
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
