# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# keep.sh: the previous version, kept on the host so that a rollback needs no
# network. Sourced after service.sh.
#
# TRIPOD_KEEP holds: tree/ (telescope or uniagent as it stood under the prefix),
# init/ (its init.d script and unit), and info, "layout version" in one line.
# TRIPOD_KEEP.next is the same until it is known that another version has come.

# kept_version prints what is kept, nothing if nothing is.
kept_version() {
	[ -n "$1" ] && [ -f "$1/info" ] && [ -d "$1/tree" ] || return 0
	read -r kept_layout kept_number <"$1/info"
	printf '%s' "${kept_number:-unknown}"
}

# keep_previous NEXT keeps the present agent, while it still runs, unless it is
# the version NEXT that is being installed again and something is kept.
keep_previous() {
	keep_now=$(version_in "$agent_dir" "$layout")
	if [ "$keep_now" != "$1" ] || [ -z "$(kept_version "$TRIPOD_KEEP")" ]; then
		copy_previous
		promote_copy "$1"
	fi
}

# copy_of_previous prints where the copy is until it is kept, nothing if nothing
# is to be kept.
copy_of_previous() { printf '%s' "${TRIPOD_KEEP:+$TRIPOD_KEEP.next}"; }

# copy_previous copies the present agent, whole or not at all. A broken one never
# replaces something kept.
copy_previous() {
	[ -n "$TRIPOD_KEEP" ] && [ -f "$agent_dir/bin/telescope" ] || return 0
	[ "$state" = healthy ] || [ -z "$(kept_version "$TRIPOD_KEEP")" ] || return 0
	keep_now=$(version_in "$agent_dir" "$layout")
	keep_top=$old_dir keep_service=telescoped
	if [ "$layout" = new ]; then keep_top=$uni_dir keep_service=ces-uniagent; fi
	need_room $(($(du -sk "$keep_top" 2>/dev/null | awk '{ print $1 }') + 1024)) "$TRIPOD_KEEP" "the previous version"
	keep_new=$TRIPOD_KEEP.new.$$
	rm -rf "$TRIPOD_KEEP".new.*
	mkdir -p "$keep_new/tree" "$keep_new/init" && cp -Rp "$keep_top" "$keep_new/tree/" &&
		printf '%s %s\n' "$layout" "$keep_now" >"$keep_new/info" || {
		rm -rf "$keep_new"
		die "$E_SPACE" "the previous version cannot be kept in $TRIPOD_KEEP"
	}
	for keep_file in etc/init.d etc/systemd/system; do
		for keep_name in "$keep_service" "$keep_service.service"; do
			keep_from=$TRIPOD_ROOT/$keep_file/$keep_name
			if [ -f "$keep_from" ]; then
				mkdir -p "$keep_new/init/$keep_file" && cp -p "$keep_from" "$keep_new/init/$keep_file/"
			fi
		done
	done
	rm -rf "$TRIPOD_KEEP.next" && mv "$keep_new" "$TRIPOD_KEEP.next" ||
		die "$E_SPACE" "the previous version cannot be kept in $TRIPOD_KEEP"
}

# promote_copy NOW keeps the copy, if there is one, in place of what is kept. If
# it is the version NOW that took its place, what is kept stays.
promote_copy() {
	keep_copied=$(kept_version "$(copy_of_previous)")
	[ -n "$keep_copied" ] || return 0
	if [ "$keep_copied" = "${1:-unknown}" ] && [ -n "$(kept_version "$TRIPOD_KEEP")" ]; then
		rm -rf "$TRIPOD_KEEP.next"
		return 0
	fi
	rm -rf "$TRIPOD_KEEP" && mv "$TRIPOD_KEEP.next" "$TRIPOD_KEEP" ||
		die "$E_SPACE" "the previous version cannot be kept in $TRIPOD_KEEP"
	found kept "$keep_copied" at "$TRIPOD_KEEP"
}

# restore_kept puts back what TRIPOD_RESTORE holds. Nothing else is in the way.
restore_kept() {
	mkdir -p "$prefix" && cp -Rp "$TRIPOD_RESTORE/tree/." "$prefix/" ||
		die "$E_SPACE" "the kept version cannot be copied to $prefix"
	(cd "$TRIPOD_RESTORE/init" && find . -type f) | while IFS= read -r restore_file; do
		restore_to=$TRIPOD_ROOT/${restore_file#./}
		mkdir -p "${restore_to%/*}" && cp -p "$TRIPOD_RESTORE/init/$restore_file" "$restore_to" || exit 1
	done || die "$E_SPACE" "the kept service cannot be copied to $TRIPOD_ROOT/etc"
	look
	if [ "$layout" = new ]; then
		know_service ces-uniagent
	else
		know_service telescoped
	fi
}
