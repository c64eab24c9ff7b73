#!/bin/sh
# configure.sh [SETTINGS] gives the agent that is there the configuration that the
# settings name, and starts it again.
#
# Exit code: 0 healthy, 13 there is no agent; README.md has the others.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/agent.sh"
. "$here/service.sh"
. "$here/package.sh"

load_settings "$@"
need_root
agent_places
look
[ "$layout" != none ] || die "$E_PACKAGE" "there is no agent to configure"

[ -n "$TRIPOD_WORK" ] || TRIPOD_WORK=$(cd "$(dirname "$settings")" && pwd)
work=$TRIPOD_WORK/configure.$$
mkdir "$work" || die "$E_SPACE" "cannot make a folder in $TRIPOD_WORK"
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

stop_agent || die "$E_IN_THE_WAY" "the agent cannot be stopped to be given its configuration"
package_dir=$agent_dir
configure
chmod 0600 "$agent_dir"/bin/conf*.json
start_agent
judge
