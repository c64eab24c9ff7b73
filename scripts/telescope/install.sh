#!/bin/sh
# install.sh [SETTINGS] installs the agent from TRIPOD_PACKAGE or, downloaded,
# from TRIPOD_ONLINE_URL, or puts back the version kept in TRIPOD_RESTORE, in
# place of whatever is there.
#
# Exit code: 0 healthy and of the wanted version; README.md has the others.

here=${0%"${0##*/}"}.
. "$here/all.sh"

begin "$@"
need_root
missing_tools
[ -z "$missing" ] || die "$E_HOST" "the host lacks $missing, which the agent's installer needs"

# check_room: the archive unpacked, and the agent installed with some to grow;
# on one file system, both.
check_room() {
	room_at "$TRIPOD_WORK"
	work_mount=$mount
	room_at "$prefix"
	if [ "$mount" = "$work_mount" ]; then
		need_room $((unpacked_kib * 2 + 4096)) "$prefix" "the package and the agent"
	else
		need_room $((unpacked_kib + 1024)) "$TRIPOD_WORK" "the package"
		need_room $((unpacked_kib + 3072)) "$prefix" "the agent"
	fi
}

# run_packaged runs the package's own install.sh, from its own folder.
run_packaged() {
	# It asks the metadata service first. wget would ask twenty times.
	printf 'tries = 1\ntimeout = 7\n' >"$work/wgetrc"
	printf 'max-time = 20\n' >"$work/.curlrc"
	set -- env "WGETRC=$work/wgetrc" "CURL_HOME=$work" bash ./install.sh
	# In the usual place it is given no argument: what one means in the new
	# layout is not known.
	[ "$TRIPOD_PREFIX" = /usr/local ] || set -- "$@" "$prefix"
	run_installer "$package_dir" "$@"
}

# run_installer DIR COMMAND... runs an installer in DIR, and passes its output on
# as it comes. Not through a pipe: the daemon that it leaves keeps its output
# open.
run_installer() {
	make_folder "$prefix"
	make_init_folder
	: >"$work/installer.log"
	(
		cd "$1" || exit 1
		shift
		exec 7<"$work/installer.log"
		meanwhile=show_output
		limited "$TRIPOD_RUN_LIMIT" logged "$@"
		logged_exit=$?
		show_output
		exit $logged_exit
	) &
	installer_pid=$!
	wait $installer_pid
	installer_exit=$?
	installer_pid=
	found installer_exit "$installer_exit"
	ended="ended with exit code $installer_exit"
	if [ $installer_exit = 124 ]; then ended="was killed after $TRIPOD_RUN_LIMIT seconds"; fi
	[ $installer_exit = 0 ] || unhealthy_code=$E_INSTALLER
}

logged() { exec "$@" >>"$work/installer.log" 2>&1 7<&-; }

# show_output goes on where it has stopped, and not for ever if a daemon never stops.
show_output() { dd bs=65536 count=16384 <&7 2>/dev/null; }

# check_copied: the agent's installer says "success" also when it could not copy.
check_copied() {
	if (cd "$package_dir/bin" && find . -type f) | while IFS= read -r file; do
		case ${file##*/} in
		*.json | *.log | nohup.out) [ -f "$installed_dir/bin/$file" ] || exit 1 ;;
		*) cmp -s "$package_dir/bin/$file" "$installed_dir/bin/$file" || exit 1 ;;
		esac
	done && [ -f "$installed_dir/$agent_control" ]; then
		return 0
	fi
	if grep -q 'No space left' "$work/installer.log"; then
		die "$E_SPACE" "the disk is full: the agent's installer did not copy everything"
	fi
	die "$E_INSTALLER" "the agent's installer $ended and did not copy everything to $installed_dir"
}

# set_modes gives what was installed its modes.
set_modes() {
	open_files "$installed_dir"
	listed=
	for name in $services; do init_files "$name"; done
	while next_listed; do [ ! -f "$listed_file" ] || chmod go+rX "$listed_file"; done
	# A uniagent with other work was there before, and is not ours.
	[ "$new_layout" = old ] || other_extensions ||
		chmod go+rx,go-w "$uni_dir" "${new_dir%/*/*}" "${new_dir%/*}"
}

# kick starts the agent if its installer has not: where the init system has not even begun
# to, at once, else after the first seconds.
kick() {
	tick
	kick_end=$((clock + (TRIPOD_WAIT < 20 ? TRIPOD_WAIT / 2 : 10)))
	while :; do
		look
		[ $((parents + children)) = 0 ] || return 0
		tick
		[ "$clock" -lt "$kick_end" ] || break
		nap 0.5
		is_started || kick_end=$clock # one more look
	done
	say "the agent's installer has not started it"
	start_agent
}

# install_kept puts back the kept version in TRIPOD_RESTORE. It may be the copy of
# a replacement that was cut off: then that is undone.
install_kept() {
	if [ "$TRIPOD_RESTORE" = "$TRIPOD_KEEP" ] && ! read_kept "$TRIPOD_RESTORE"; then
		TRIPOD_RESTORE=$keep_next
	fi
	read_kept "$TRIPOD_RESTORE" || die "$E_PACKAGE" "no kept version in $TRIPOD_RESTORE"
	[ -z "$TRIPOD_VERSION" ] || [ "$kept" = "$TRIPOD_VERSION" ] ||
		die "$E_PACKAGE" "version $kept is kept in $TRIPOD_RESTORE, not $TRIPOD_VERSION"
	restored=$kept restored_state=$kept_state restored_boot=$kept_boot
	size_of "$TRIPOD_RESTORE"
	need_room $((size_kib + 1024)) "$prefix" "the kept version"
	look
	undo_configuration_for_good
	find_version
	if [ "$TRIPOD_RESTORE" = "$keep_next" ]; then
		remove_agent || die "$E_NOT_REMOVED" "the present version could not be removed"
	else
		find_before
		replacing
	fi
	restore_from "$TRIPOD_RESTORE" || die "$E_SPACE" "version $restored is kept, but $restore_says"
	start_agent
	judge
	restore_state "$restored_state" "$restored_boot"
	replaced "$version"
}

# install_package installs TRIPOD_PACKAGE.
install_package() {
	check_archive
	check_room
	unpack
	version_in "$package_dir" $new_layout "$package_dir"
	found package_version "$version" package_layout $new_layout init "$init"
	look_before
	configure "$package_dir"
	protect_configuration "$package_dir" # an installer may copy modes
	replacing
	installed_dir=$old_dir
	if [ $new_layout = new ]; then installed_dir=$new_dir; fi
	keep_plugins "$work" "$installed_dir"
	run_packaged
	check_copied
	set_modes
	look
	enable_service # before it is started
	kick
	judge
	restore_state "$present" "$present_boot"
	replaced "$version"
}

clear "$stopped_note"
refuse_elsewhere
make_work
if [ -n "$TRIPOD_RESTORE" ]; then
	install_kept
elif [ -z "$TRIPOD_PACKAGE" ] && [ -n "$TRIPOD_ONLINE_URL" ]; then
	install_online
else
	install_package
fi
