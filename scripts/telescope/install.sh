#!/bin/sh
# install.sh [SETTINGS] installs the agent from TRIPOD_PACKAGE or, downloaded,
# from TRIPOD_ONLINE_URL, or puts back the version kept in TRIPOD_RESTORE, in
# place of whatever is there.
#
# Exit code: 0 healthy and of the wanted version; README.md has the others.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/init.sh"
. "$here/agent.sh"
. "$here/elsewhere.sh"
. "$here/boot.sh"
. "$here/service.sh"
. "$here/remove.sh"
. "$here/json.sh"
. "$here/config.sh"
. "$here/reporting.sh"
. "$here/package.sh"
. "$here/keep.sh"
. "$here/reconfigure.sh"
. "$here/replace.sh"
. "$here/online.sh"

load_settings "$@"
need_root
agent_places

for tool in bash tar gzip awk sed grep; do
	have $tool || die "$E_HOST" "the host lacks $tool, which the agent's installer needs"
done

# check_room: the archive unpacked, and the agent installed with some to grow;
# on one file system, both.
check_room() {
	if [ "$(mount_of "$TRIPOD_WORK")" = "$(mount_of "$prefix")" ]; then
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
		limited "$TRIPOD_RUN_LIMIT" "$@"
	) >"$work/installer.log" 2>&1 &
	installer_pid=$!
	shown=0
	while alive $installer_pid; do
		show_output
		nap 0.2
	done
	wait $installer_pid
	installer_exit=$?
	installer_pid=
	show_output
	found installer_exit "$installer_exit"
	ended="ended with exit code $installer_exit"
	if [ $installer_exit = 124 ]; then ended="was killed after $TRIPOD_RUN_LIMIT seconds"; fi
	[ $installer_exit = 0 ] || unhealthy_code=$E_INSTALLER
}

show_output() {
	size=$(wc -c <"$work/installer.log")
	if [ "$size" -gt $shown ]; then
		tail -c +$((shown + 1)) "$work/installer.log" | head -c $((size - shown))
		shown=$((size))
	fi
}

# check_copied: the agent's installer says "success" also when it could not copy.
check_copied() {
	if (cd "$package_dir/bin" && find . -type f) | while IFS= read -r file; do
		case ${file##*/} in
		*.json | *.log | nohup.out) [ -f "$installed_dir/bin/$file" ] || exit 1 ;;
		*) cmp -s "$package_dir/bin/$file" "$installed_dir/bin/$file" || exit 1 ;;
		esac
	done && [ -f "$installed_dir/telescoped" ]; then
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
	for service in $services; do init_files "$service"; done |
		while IFS= read -r file; do [ ! -f "$file" ] || chmod go+rX "$file"; done
	# A uniagent with other work was there before, and is not ours.
	[ $new_layout = old ] || other_extensions ||
		chmod go+rx,go-w "$uni_dir" "$uni_dir/extension" "$uni_dir/extension/install"
}

# kick starts the agent if its installer has not, within the first seconds.
kick() {
	tick
	kick_end=$((clock + (TRIPOD_WAIT < 20 ? TRIPOD_WAIT / 2 : 10)))
	while :; do
		look
		[ $((parents + children)) = 0 ] || return 0
		tick
		[ "$clock" -lt $kick_end ] || break
		nap 0.5
	done
	say "the agent's installer has not started it"
	start_agent
}

# install_kept puts back the kept version in TRIPOD_RESTORE. It may be the copy of
# a replacement that was cut off: then that is undone.
install_kept() {
	if [ "$TRIPOD_RESTORE" = "$TRIPOD_KEEP" ] && [ -z "$(kept_version "$TRIPOD_RESTORE")" ]; then
		TRIPOD_RESTORE=$(present_copy)
	fi
	kept=$(kept_version "$TRIPOD_RESTORE")
	[ -n "$kept" ] || die "$E_PACKAGE" "no kept version in $TRIPOD_RESTORE"
	[ -z "$TRIPOD_VERSION" ] || [ "$kept" = "$TRIPOD_VERSION" ] ||
		die "$E_PACKAGE" "version $kept is kept in $TRIPOD_RESTORE, not $TRIPOD_VERSION"
	need_room $(($(du -sk "$TRIPOD_RESTORE" | awk '{ print $1 }') + 1024)) "$prefix" "the kept version"
	look
	if settle_configuration; then discard "$(old_config)"; fi
	find_version
	if [ "$TRIPOD_RESTORE" = "$(present_copy)" ]; then
		remove_agent || die "$E_IN_THE_WAY" "the present version could not be removed"
	else
		find_before
		replacing
	fi
	kept_as="$(kept_state "$TRIPOD_RESTORE") $(kept_boot "$TRIPOD_RESTORE")"
	restore_from "$TRIPOD_RESTORE" || die "$E_SPACE" "version $kept is kept, but $restore_says"
	start_agent
	judge
	settle "${kept_as% *}" "${kept_as#* }"
	replaced "$version"
}

# install_package installs TRIPOD_PACKAGE.
install_package() {
	check_archive
	check_room
	unpack
	found package_version "$(version_in "$package_dir" $new_layout "$package_dir")" package_layout $new_layout init "$init"
	look_before
	configure "$package_dir"
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
	settle "$present" "$present_boot"
	replaced "$version"
}

find_stopped_note
rm -f "$stopped_note"
refuse_elsewhere
make_work
if [ -n "$TRIPOD_RESTORE" ]; then
	install_kept
elif [ -z "$TRIPOD_PACKAGE" ] && [ -n "$TRIPOD_ONLINE_URL" ]; then
	install_online
else
	install_package
fi
