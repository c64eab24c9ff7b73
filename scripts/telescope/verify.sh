#!/bin/sh
# verify.sh [SETTINGS] waits for the agent to be healthy and says what it found.
#
# Exit code: 0 healthy and of the wanted version, 10 not root, 16 not healthy
# after TRIPOD_WAIT seconds, 17 another version than TRIPOD_VERSION.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/agent.sh"

load_settings "$@"
need_root
agent_places
judge
