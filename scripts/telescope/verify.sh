#!/bin/sh
# verify.sh [SETTINGS] waits for the agent to be healthy and says what it found.
# With TRIPOD_ABSENT=yes there must be none, nor anything that one leaves.
#
# Exit code: 0 healthy (or stopped, where it was so before an update or a rollback) and
# of the wanted version, 10 not root, 16 not healthy
# after TRIPOD_WAIT seconds, or something left, 17 another version than
# TRIPOD_VERSION, 21 not able to report though TRIPOD_REQUIRE_REPORTING=yes.

here=${0%"${0##*/}"}.
. "$here/all.sh"

begin "$@"
need_root
if [ "$TRIPOD_ABSENT" = yes ]; then
	leftovers
	find_agent
	leaves_elsewhere || left=$left$elsewhere
	find_version
	report
	[ -z "$left" ] || die "$E_UNHEALTHY" "left behind: $left"
	exit 0
fi

find_agent
# install.sh, run with these settings, may have left it stopped as it was.
if [ -f "$stopped_note" ] && [ "$state" = stopped ] && meant_stopped; then
	find_version
	report
	check_version
else
	judge
fi
look_at_boot
report_boot
