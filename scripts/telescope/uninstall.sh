#!/bin/sh
# uninstall.sh [SETTINGS] removes the agent: processes, files, service, in any
# folder and also if Tripod did not install it. It succeeds if there is none.
# TRIPOD_PURGE=yes also removes the version kept for a rollback,
# TRIPOD_LEAVE_ELSEWHERE=yes leaves agents in other folders and their services.
#
# Exit code: 0 nothing is left, 10 not root, 14 something could not be removed.

here=${0%"${0##*/}"}.
. "$here/all.sh"

# remove_elsewhere removes the agents that find_elsewhere has found.
remove_elsewhere() {
	listed=$elsewhere${elsewhere:+$newline}
	while next_listed; do
		set -- "$listed_file" "$listed"
		safe_below "$TRIPOD_ROOT" "$1" ||
			die "$E_NOT_REMOVED" "the agent in $1 is not removed: users other than root can change $unsafe; remove it by hand"
		[ "$safe_path" = "$1" ] ||
			die "$E_NOT_REMOVED" "the agent in $1 is not removed: that is a link to $safe_path; remove it by hand"
		use_place "$1"
		remove_agent || die "$E_NOT_REMOVED" "the agent in $1 could not be removed wholly"
		found removed_at "$1"
		listed=$2
	done
}

# purge removes what is kept: the versions before, with their configuration and keys.
purge() {
	[ -n "$TRIPOD_KEEP" ] || return 0
	for purge_copy in "$TRIPOD_KEEP" "$keep_next"; do
		discard "$purge_copy" || purge_failed "$purge_copy"
	done
	clear "$keep_first" "$TRIPOD_KEEP".new.* "$TRIPOD_KEEP".gone.*
	! any existing "$TRIPOD_KEEP" "$TRIPOD_KEEP".* || purge_failed "${listed%"$newline"}"
	found purged "$TRIPOD_KEEP"
}

purge_failed() { die "$E_NOT_REMOVED" "the agent is removed, but its kept version cannot be removed: $1"; }

begin "$@"
need_root
find_agent
removed=$state
use_prefix
leaves_elsewhere || remove_elsewhere
use_prefix
remove_agent || die "$E_NOT_REMOVED" "the agent could not be removed wholly"
leftovers
find_agent
version=
report
leaves_elsewhere || left=$left$elsewhere
[ -z "$left" ] || die "$E_NOT_REMOVED" "left behind: $left"
if [ "$TRIPOD_PURGE" = yes ]; then
	purge
elif [ -n "$TRIPOD_KEEP" ]; then
	clear "$keep_first"
	# What a replacement that was cut off had found is not wanted back any more.
	discard "$keep_next" ||
		say "the agent is removed, but not the copy of it in $keep_next: remove that by hand, or a later install that fails puts it back"
fi
found removed "$removed"
