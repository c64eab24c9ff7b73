# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# keep.sh: copies of the agent on the host, so that a rollback needs no network
# and a replacement that fails costs nothing.
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

# keep_places sets where the copy of what a replacement found is, or is to be, and what
# notes that it found none; nothing if nothing is to be kept.
keep_places() {
	keep_next=${TRIPOD_KEEP:+$TRIPOD_KEEP.next}
	keep_first=${TRIPOD_KEEP:+$TRIPOD_KEEP.first}
}

# read_kept DIR sets kept: the version that is kept there, empty if none is; and what its
# info says: kept_as, "layout version", kept_state, kept_boot and kept_task.
read_kept() {
	kept=''
	[ -n "$1" ] && [ -f "$1/info" ] && [ -d "$1/tree" ] || return 1
	{
		IFS= read -r kept_as
		IFS= read -r kept_state
		IFS= read -r kept_boot
		IFS= read -r kept_task
	} <"$1/info"
	kept=${kept_as#"${kept_as%% *}"}
	kept=${kept# }
	: "${kept:=unknown}" "${kept_state:=healthy}" "${kept_boot:=enabled}"
}

# replaced_by DIR TASK notes in the copy DIR that TASK has replaced what is kept there.
replaced_by() {
	read_kept "$1"
	printf '%s\n' "$kept_as" "$kept_state" "$kept_boot" "$2" >"$1/info.new" && mv "$1/info.new" "$1/info"
}

# copy_present copies the present agent, whole or not at all.
copy_present() {
	[ -n "$TRIPOD_KEEP" ] && [ -f "$agent_dir/$agent_program" ] || return 0
	size_tree
	need_room $((size_kib + 1024)) "$TRIPOD_KEEP" "the previous version"
	keep_new=$TRIPOD_KEEP.new.$$
	mkdir -p "$keep_new/tree" "$keep_new/init" && copy_tree "$keep_new/tree" &&
		printf '%s\n' "$layout $version" "$state" "$present_boot" "$TRIPOD_TASK" >"$keep_new/info" || cannot_keep
	copy_init_files "$keep_new/init" || cannot_keep "'s service"
	# On the disk, where the host can say that of one file system.
	quietly 60 sync -f "$keep_new"
	discard "$keep_next" && mv "$keep_new" "$keep_next" || cannot_keep
}

# cannot_keep ['s PART] ends the script.
cannot_keep() {
	clear "$TRIPOD_KEEP.new.$$"
	die "$E_SPACE" "the previous version${1-} cannot be kept in $TRIPOD_KEEP"
}

# copy_init_files TO copies what the init system needs of the agent's service, by its
# path below the root.
copy_init_files() {
	init_script "$service"
	listed=
	[ -z "$script" ] || listed=$script$newline
	kept_init_files "$service"
	while next_listed; do
		keep_to=$1/${listed_file#"$TRIPOD_ROOT"/}
		# The script also where an installer has put it in the place of the folder.
		[ "$listed_file" != "$script" ] || keep_to=$1/${init_folder#"$TRIPOD_ROOT"/}/$service
		make_private "${keep_to%/*}" && cp -p "$listed_file" "$keep_to" || return 1
	done
}

# size_tree sets size_kib: the room that copy_tree takes.
size_tree() {
	if [ "$layout" = new ]; then
		size_of "$uni_dir"/[!e]* "$uni_dir"/e[!x]* "$new_dir"
	else
		size_of "$old_dir"
	fi
}

# size_of DIR... sets size_kib.
size_of() {
	size_kib=$(du -skc "$@" 2>/dev/null)
	size_kib=${size_kib##*"$newline"}
	size_kib=${size_kib%%[!0-9]*}
	: "${size_kib:=0}"
}

# copy_tree TO copies the agent's folder. Of the uniagent's extensions telescope
# alone: the others are not ours to keep, nor to put back.
copy_tree() {
	if [ "$layout" = old ]; then
		cp -Rp "$old_dir" "$1/"
		return
	fi
	keep_from=${new_dir%/*} keep_to=$1/${new_place%/*}
	copy_but "$uni_extensions" "$uni_dir" "$1/$uni_place" &&
		copy_but install "${keep_from%/*}" "${keep_to%/*}" &&
		copy_folder "$keep_from" "$keep_to" &&
		cp -Rp "$new_dir" "$keep_to/"
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
	clear "$1.gone.$$"
	mv "$1" "$1.gone.$$"
}

clear_retired() { clear "$1".gone.*; }

# discard DIR removes a copy.
discard() {
	retire "$1" || return 1
	clear_retired "$1"
	return 0
}

# promote_copy NOW keeps the copy, if there is one, in place of what is kept. If
# it is the version NOW that took its place, or was broken, what is kept stays.
promote_copy() {
	read_kept "$keep_next" || return 0
	keep_copied=$kept keep_copied_state=$kept_state keep_copied_task=$kept_task
	if read_kept "$TRIPOD_KEEP"; then
		if [ "$keep_copied" = "${1:-unknown}" ]; then
			discard "$keep_next"
			return 0
		fi
		if [ "$keep_copied_state" != healthy ]; then
			replaced_by "$TRIPOD_KEEP" "$keep_copied_task"
			discard "$keep_next"
			return 0
		fi
	fi
	if ! retire "$TRIPOD_KEEP" || ! mv "$keep_next" "$TRIPOD_KEEP"; then
		# What was kept stays what is kept.
		[ -e "$TRIPOD_KEEP" ] || [ ! -e "$TRIPOD_KEEP.gone.$$" ] || mv "$TRIPOD_KEEP.gone.$$" "$TRIPOD_KEEP"
		cannot_keep
	fi
	clear_retired "$TRIPOD_KEEP"
	found kept "$keep_copied" at "$TRIPOD_KEEP"
}

# restore_from DIR puts back what DIR holds, and looks. No telescope is in the
# way. It returns 1, and has set restore_says, if it cannot.
restore_from() {
	restore_says="it cannot be copied to $prefix"
	make_folder "$prefix" || return 1
	if [ -d "$1/tree/$uni_place" ] && [ -d "$uni_dir" ]; then
		# The uniagent stays as it is: it has work besides telescope.
		make_folder "${new_dir%/*}" && cp -Rp "$1/tree/$new_place" "${new_dir%/*}/" || return 1
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
	read_kept "$1"
	case $kept_boot in
	disabled | masked) reload_services ;;
	*) enable_service ;; # before it is started
	esac
	return 0
}
