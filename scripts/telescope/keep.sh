# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# keep.sh: copies of the agent on the host, so that a rollback needs no network
# and a replacement that fails costs nothing. Sourced after remove.sh.
#
# TRIPOD_KEEP holds: tree/ (telescope or uniagent as it stood under the prefix),
# init/ (its init.d script and unit), and info: "layout version" in its first
# line, how the agent was in its second, enabled, disabled or masked (whether it was
# to start at boot) in its third, and in its fourth the task that has replaced it, which
# alone is undone with it; older ones have no third or fourth. TRIPOD_KEEP.next is
# the same, of what an unfinished replacement found on the host; and well, a file
# that is there once what took its place has been healthy, until that is removed.
# TRIPOD_KEEP.first is a file that is there while an agent is installed where there was
# none; it says "well" once that has been healthy.
#
# A folder of either name is whole: it was filled under another name, and loses
# its name before it is emptied.

# kept_version [DIR] prints what is kept there, nothing if nothing is.
kept_version() {
	[ -n "${1-}" ] && [ -f "$1/info" ] && [ -d "$1/tree" ] || return 0
	read -r kept_layout kept_number <"$1/info"
	printf '%s' "${kept_number:-unknown}"
}

# kept_state DIR prints how the agent was when it was copied.
kept_state() {
	{ read -r _; IFS= read -r kept_was; } <"$1/info"
	printf '%s' "${kept_was:-healthy}"
}

# kept_boot DIR prints whether it was to start at boot when it was copied.
kept_boot() {
	{ read -r _; read -r _; IFS= read -r kept_was; } <"$1/info"
	printf '%s' "${kept_was:-enabled}"
}

# present_copy prints where the copy of what a replacement found is, or is to
# be; nothing if nothing is to be kept.
present_copy() { printf '%s' "${TRIPOD_KEEP:+$TRIPOD_KEEP.next}"; }

# copy_present copies the present agent, whole or not at all.
copy_present() {
	[ -n "$TRIPOD_KEEP" ] && [ -f "$agent_dir/bin/telescope" ] || return 0
	need_room $(($(tree_kib) + 1024)) "$TRIPOD_KEEP" "the previous version"
	keep_new=$TRIPOD_KEEP.new.$$
	mkdir -p "$keep_new/tree" "$keep_new/init" && copy_tree "$keep_new/tree" &&
		printf '%s %s\n%s\n%s\n%s\n' "$layout" "$version" "$state" "$present_boot" "$TRIPOD_TASK" >"$keep_new/info" || {
		rm -rf "$keep_new"
		die "$E_SPACE" "the previous version cannot be kept in $TRIPOD_KEEP"
	}
	copy_init_files "$keep_new/init" || {
		rm -rf "$keep_new"
		die "$E_SPACE" "the previous version's service cannot be kept in $TRIPOD_KEEP"
	}
	# On the disk, where the host can say that of one file system.
	quietly 60 sync -f "$keep_new"
	discard "$TRIPOD_KEEP.next" && mv "$keep_new" "$TRIPOD_KEEP.next" ||
		die "$E_SPACE" "the previous version cannot be kept in $TRIPOD_KEEP"
}

# copy_init_files TO copies what the init system needs of the agent's service, by its
# path below the root.
copy_init_files() {
	keep_service=$(service_of "$layout")
	keep_script=$(init_script "$keep_service")
	if [ -n "$keep_script" ]; then
		# Also where an installer has put it in the place of the folder.
		keep_to=$1/etc/init.d/$keep_service
		mkdir -p "${keep_to%/*}" && cp -p "$keep_script" "$keep_to" || return 1
	fi
	kept_init_files "$keep_service" | while IFS= read -r keep_file; do
		keep_to=$1/$keep_file
		mkdir -p "${keep_to%/*}" && cp -p "$TRIPOD_ROOT/$keep_file" "$keep_to" || exit 1
	done
}

# tree_kib prints the room that copy_tree takes.
tree_kib() {
	if [ "$layout" = new ]; then
		set -- "$uni_dir"/[!e]* "$uni_dir"/e[!x]* "$new_dir"
	else
		set -- "$old_dir"
	fi
	du -skc "$@" 2>/dev/null | awk '{ kib = $1 } END { print kib + 0 }'
}

# copy_tree TO copies the agent's folder. Of the uniagent's extensions telescope
# alone: the others are not ours to keep, nor to put back.
copy_tree() {
	if [ "$layout" = old ]; then
		cp -Rp "$old_dir" "$1/"
		return
	fi
	copy_but extension "$uni_dir" "$1/uniagent" &&
		copy_but install "$uni_dir/extension" "$1/uniagent/extension" &&
		copy_folder "$uni_dir/extension/install" "$1/uniagent/extension/install" &&
		cp -Rp "$new_dir" "$1/uniagent/extension/install/"
}

# copy_folder FROM TO makes an empty folder with the owner and mode of another one.
copy_folder() {
	mkdir "$2" && chmod go+rx "$2" || return 1
	have stat || return 0
	chown "$(stat -c %u:%g "$1")" "$2" && chmod "$(stat -c %a "$1")" "$2"
}

# copy_but NAME FROM TO copies what is in a folder, but for one entry.
copy_but() {
	copy_folder "$2" "$3" || return 1
	for copy_entry in "$2"/* "$2"/.[!.]*; do
		[ -e "$copy_entry" ] || [ -h "$copy_entry" ] || continue
		[ "${copy_entry##*/}" = "$1" ] || cp -Rp "$copy_entry" "$3/" || return 1
	done
}

# retire DIR takes a copy's name away, so that what is left of a removal that was
# cut off is no copy. clear_retired DIR removes those.
retire() {
	[ -e "$1" ] || return 0
	rm -rf "$1.gone.$$"
	mv "$1" "$1.gone.$$"
}

clear_retired() { rm -rf "$1".gone.*; }

# discard DIR removes a copy.
discard() {
	retire "$1" || return 1
	clear_retired "$1"
	return 0
}

# promote_copy NOW keeps the copy, if there is one, in place of what is kept. If
# it is the version NOW that took its place, or was broken, what is kept stays.
promote_copy() {
	keep_copied=$(kept_version "$(present_copy)")
	[ -n "$keep_copied" ] || return 0
	if [ -n "$(kept_version "$TRIPOD_KEEP")" ]; then
		if [ "$keep_copied" = "${1:-unknown}" ]; then
			discard "$TRIPOD_KEEP.next"
			return 0
		fi
		if [ "$(kept_state "$TRIPOD_KEEP.next")" != healthy ]; then
			replaced_by "$TRIPOD_KEEP" "$(sed -n 4p "$TRIPOD_KEEP.next/info")"
			discard "$TRIPOD_KEEP.next"
			return 0
		fi
	fi
	if ! retire "$TRIPOD_KEEP" || ! mv "$TRIPOD_KEEP.next" "$TRIPOD_KEEP"; then
		# What was kept stays what is kept.
		[ -e "$TRIPOD_KEEP" ] || [ ! -e "$TRIPOD_KEEP.gone.$$" ] || mv "$TRIPOD_KEEP.gone.$$" "$TRIPOD_KEEP"
		die "$E_SPACE" "the previous version cannot be kept in $TRIPOD_KEEP"
	fi
	clear_retired "$TRIPOD_KEEP"
	found kept "$keep_copied" at "$TRIPOD_KEEP"
}

# replaced_by DIR TASK notes in the copy DIR that TASK has replaced what is kept there.
replaced_by() {
	{
		for replaced_line in 1 2 3; do # an older copy has fewer
			printf '%s\n' "$(sed -n ${replaced_line}p "$1/info")"
		done
		printf '%s\n' "$2"
	} >"$1/info.new" && mv "$1/info.new" "$1/info"
}

# restore_from DIR puts back what DIR holds, and looks. No telescope is in the
# way. It returns 1, and has set restore_says, if it cannot.
restore_from() {
	restore_says="it cannot be copied to $prefix"
	make_folder "$prefix" || return 1
	if [ -d "$1/tree/uniagent" ] && [ -d "$uni_dir" ]; then
		# The uniagent stays as it is: it has work besides telescope.
		make_folder "${new_dir%/*}" && cp -Rp "$1/tree/uniagent/extension/install/telescope" "${new_dir%/*}/" || return 1
	else
		# Not tree/. itself: the prefix would get its mode.
		cp -Rp "$1/tree"/* "$prefix/" || return 1
	fi
	restore_says="its service cannot be copied to $TRIPOD_ROOT/etc"
	make_init_folder
	(cd "$1/init" && find . -type f) | while IFS= read -r restore_file; do
		restore_to=$TRIPOD_ROOT/${restore_file#./}
		make_folder "${restore_to%/*}" && cp -p "$1/init/$restore_file" "$restore_to" || exit 1
	done || return 1
	drop_init_folder
	look
	case $(kept_boot "$1") in
	disabled | masked) reload_services ;;
	*) enable_service ;; # before it is started
	esac
	return 0
}
