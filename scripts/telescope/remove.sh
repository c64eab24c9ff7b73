# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# remove.sh: the agent is stopped and removed wholly, whoever has installed it.
# Sourced after service.sh and elsewhere.sh.
#
# The agent's own uninstall.sh is not used, for the same reasons as its
# `telescoped stop`.

# forget_service NAME takes a service out of the init system.
forget_service() {
	[ -n "$(init_files "$1")$(init_notes "$1")" ] && ! stays "$1" || return 0
	if [ "$init" = systemd ]; then
		# Started by hand and killed by us, it still counts as active,
		# and a later start would do nothing.
		note_stopped "$1"
		quietly 30 systemctl disable "$1.service"
	fi
	if init_tool chkconfig; then quietly 30 chkconfig --del "$1"; fi
	if init_tool rc-update; then quietly 30 rc-update del "$1" default; fi
	{ init_files "$1"; init_notes "$1"; } | remove_listed
	if init_tool update-rc.d; then quietly 30 update-rc.d -f "$1" remove; fi
	if [ "$init" = systemd ]; then
		quietly 30 systemctl daemon-reload
		quietly 30 systemctl reset-failed "$1.service"
	fi
	[ -z "$(init_files "$1")" ]
}

# remove_tree DIR... deletes and makes sure.
remove_tree() {
	rm -rf "$@" 2>/dev/null
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
	[ -z "$TRIPOD_KEEP" ] || rm -f "$TRIPOD_KEEP.next/well"
	if [ -d "$uni_dir" ] || [ -n "$(init_files "$(service_of new)")" ] || [ -n "$(processes "$uni_real")" ]; then
		remove_new || return 1
	fi
	stop_from "$old_real" || { say "telescope does not stop"; return 1; }
	forget_service "$(service_of old)" || { say "the service $(service_of old) cannot be removed"; return 1; }
	drop_init_folder
	remove_tree "$old_dir"
}

# remove_new: the new layout, and the uniagent where it has no other work.
remove_new() {
	remove_name=$(service_of new)
	# First the one that would start telescope again.
	stays "$remove_name" || service_do stop "$remove_name"
	if other_extensions; then
		stop_from "$new_real" || { say "telescope does not stop"; return 1; }
		# A uniagent that the init system does not know runs on, and may start
		# it in between. Without its files it cannot any more.
		rm -rf "$new_dir" 2>/dev/null
		stop_from "$new_real" || { say "telescope does not stop"; return 1; }
		remove_tree "$new_dir" || return 1
		stays "$remove_name" || service_do start "$remove_name"
		return 0
	fi
	stop_from "$uni_real" || { say "the uniagent does not stop"; return 1; }
	forget_service "$remove_name" || { say "the service $remove_name cannot be removed"; return 1; }
	remove_tree "$uni_dir"
}

# leftovers prints what a removal should not have left.
leftovers() {
	stays "$(service_of old)" || init_files "$(service_of old)"
	other_extensions || stays "$(service_of new)" || init_files "$(service_of new)"
	existing "$old_dir" "$new_dir"
	processes "$old_real" "$new_real"
	other_extensions || processes "$uni_real"
}
