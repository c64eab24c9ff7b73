#!/bin/sh
# configure.sh [SETTINGS] changes the configuration of the installed agent, and nothing
# else: the agent is restarted with it, and gets the previous one back if that fails. A
# stopped agent stays stopped.
#
# Exit code: 0 the agent has the configuration and is healthy or stopped as before, 13
# there is no agent; README.md has the others.

here=${0%"${0##*/}"}.
. "$here/all.sh"

begin "$@"
need_root
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
