# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# remove.sh: the agent is stopped and removed wholly, whoever has installed it.
#
# The agent's own uninstall.sh is not used, for the same reasons as its
# `telescoped stop`.

# forget_service NAME takes a service out of the init system.
forget_service() {
	any init_files "$1" || any init_notes "$1" || return 0
	! stays "$1" || return 0
	if [ "$init" = systemd ]; then
		# Started by hand and killed by us, it still counts as active,
		# and a later start would do nothing.
		note_stopped "$1"
		quietly 30 systemctl disable "$1.service"
	fi
	if init_tool chkconfig; then quietly 30 chkconfig --del "$1"; fi
	if init_tool rc-update; then quietly 30 rc-update del "$1" default; fi
	any init_files "$1"
	init_notes "$1"
	remove_listed
	if init_tool update-rc.d; then quietly 30 update-rc.d -f "$1" remove; fi
	if [ "$init" = systemd ]; then
		quietly 30 systemctl daemon-reload
		quietly 30 systemctl reset-failed "$1.service"
	fi
	! any init_files "$1" || { say "the service $1 cannot be removed"; return 1; }
}

# remove_tree DIR... deletes and makes sure.
remove_tree() {
	clear "$@" 2>/dev/null
	for tree in "$@"; do
		if [ -e "$tree" ] || [ -h "$tree" ]; then
			say "cannot remove $tree"
			return 1
		fi
	done
}

# remove_agent stops and removes the agent in both layouts, wholly. It returns
# 1, and has said why, if something is left.
remove_agent() {
	[ -z "$keep_next" ] || clear "$keep_next/verified"
	if [ -d "$uni_dir" ] || any init_files "$new_service" || { processes "$uni_real"; [ -n "$running" ]; }; then
		remove_new || return 1
	fi
	stop_from "$old_real" || { say "telescope does not stop"; return 1; }
	forget_service "$old_service" || return 1
	drop_init_folder
	remove_tree "$old_dir"
}

# remove_new: the new layout, and the uniagent where it has no other work.
remove_new() {
	# First the one that would start telescope again.
	stays "$new_service" || service_do stop "$new_service"
	if other_extensions; then
		stop_from "$new_real" || { say "telescope does not stop"; return 1; }
		# A uniagent that the init system does not know runs on, and may start
		# it in between. Without its files it cannot any more.
		rm -rf "$new_dir" 2>/dev/null
		stop_from "$new_real" || { say "telescope does not stop"; return 1; }
		remove_tree "$new_dir" || return 1
		stays "$new_service" || service_do start "$new_service"
		return 0
	fi
	stop_from "$uni_real" || { say "the uniagent does not stop"; return 1; }
	forget_service "$new_service" && remove_tree "$uni_dir"
}

# leftovers sets left to what a removal should not have left, one a line.
leftovers() {
	left_services=
	stays "$old_service" || left_services=$old_service
	left_dir=$new_real
	if ! other_extensions; then
		left_dir=$uni_real
		stays "$new_service" || left_services="$left_services $new_service"
	fi
	listed=
	for left_service in $left_services; do init_files "$left_service"; done
	existing "$old_dir" "$new_dir"
	processes "$old_real" "$left_dir"
	for process in $running; do listed="${listed}process $process$newline"; done
	left=${listed%"$newline"}
}
