#!/bin/sh
# uninstall.sh [SETTINGS] removes the agent: processes, files, service, in any
# folder and also if Tripod did not install it. It succeeds if there is none.
# TRIPOD_PURGE=yes also removes the version kept for a rollback,
# TRIPOD_LEAVE_ELSEWHERE=yes leaves agents in other folders and their services.
#
# Exit code: 0 nothing is left, 10 not root, 14 something could not be removed.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/init.sh"
. "$here/agent.sh"
. "$here/elsewhere.sh"
. "$here/boot.sh"
. "$here/service.sh"
. "$here/remove.sh"
. "$here/package.sh"
. "$here/keep.sh"

# remove_elsewhere removes the agents that find_elsewhere has found.
remove_elsewhere() {
	while IFS= read -r else_dir; do
		[ -n "$else_dir" ] || continue
		safe_place "$else_dir" ||
			die "$E_IN_THE_WAY" "the agent in $else_dir is not removed: users other than root can change $place_why; remove it by hand"
		use_place "$else_dir"
		remove_agent || die "$E_IN_THE_WAY" "the agent in $else_dir could not be removed wholly"
		found removed_at "$else_dir"
	done <<-END
		$elsewhere
	END
}

# purge removes what is kept: the versions before, with their configuration and keys.
purge() {
	[ -n "$TRIPOD_KEEP" ] || return 0
	for purge_copy in "$TRIPOD_KEEP" "$TRIPOD_KEEP.next"; do
		discard "$purge_copy" || purge_failed "$purge_copy"
	done
	rm -rf "$TRIPOD_KEEP.first" "$TRIPOD_KEEP".new.* "$TRIPOD_KEEP".gone.*
	purge_left=$(existing "$TRIPOD_KEEP" "$TRIPOD_KEEP".*)
	[ -z "$purge_left" ] || purge_failed "$purge_left"
	found purged "$TRIPOD_KEEP"
}

purge_failed() { die "$E_IN_THE_WAY" "the agent is removed, but its kept version cannot be removed: $1"; }

load_settings "$@"
need_root
agent_places
find_agent
removed=$state
use_prefix
leaves_elsewhere || remove_elsewhere
use_prefix
remove_agent || die "$E_IN_THE_WAY" "the agent could not be removed wholly"
left=$(leftovers)
find_agent
version=
report
leaves_elsewhere || left=$left$elsewhere
[ -z "$left" ] || die "$E_IN_THE_WAY" "left behind: $left"
if [ "$TRIPOD_PURGE" = yes ]; then
	purge
elif [ -n "$TRIPOD_KEEP" ]; then
	rm -f "$TRIPOD_KEEP.first"
	# What a replacement that was cut off had found is not wanted back any more.
	discard "$TRIPOD_KEEP.next" ||
		say "the agent is removed, but not the copy of it in $TRIPOD_KEEP.next: remove that by hand, or a later install that fails puts it back"
fi
found removed "$removed"
