# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# replace.sh: one version takes another one's place, and the one before comes
# back where that fails.
#
# Wherever it is cut off, the next run goes on from the copy: there is one before
# anything is removed, and until the new version has proved itself.

# find_before copies what look and version have found, while it still runs, and
# sets before_dir to where its files are, nothing if there are none. Where a
# replacement was cut off, the version before is the one that it found, unless
# what is there now is well, or has been and was stopped on purpose since: then
# that one's copy is kept, but not by a RESTORE.
find_before() {
	tell_crashed
	present=$state present_boot=enabled before_dir=
	if [ "$state" != none ]; then
		before_dir=$agent_dir
		look_at_boot
		case $boot in
		disabled | masked) present_boot=$boot ;;
		esac
	fi
	[ -n "$TRIPOD_KEEP" ] || return 0
	clear "$TRIPOD_KEEP".new.* "$TRIPOD_KEEP".gone.* "$keep_next".gone.*
	if read_kept "$keep_next"; then
		if ! has_proved_itself; then
			# Who goes on from the copy is who is undone with it.
			[ -n "$TRIPOD_RESTORE" ] || replaced_by "$keep_next" "$TRIPOD_TASK"
			found unfinished "$kept" at "$keep_next"
			before_dir=$keep_next/tree/$old_place
			[ -d "$before_dir" ] || before_dir=$keep_next/tree/$new_place
			present=$kept_state present_boot=$kept_boot
			return 0
		fi
		[ -n "$TRIPOD_RESTORE" ] || promote_copy "$version"
	fi
	if [ -f "$keep_first" ] && ! has_proved_itself; then
		# Half of an agent, where there was none.
		present=none present_boot=enabled before_dir=
	elif [ "$state" != none ]; then
		clear "$keep_first"
		copy_present
	else
		mkdir -p "${TRIPOD_KEEP%/*}" && : >"$keep_first" ||
			die "$E_SPACE" "nothing can be written to ${TRIPOD_KEEP%/*}"
	fi
}

# look_before looks, tells what is there, and has it copied; its configuration
# goes into the package that is to take its place, the user's plugins into $work.
look_before() {
	look
	undo_configuration_for_good
	if [ "$state" != none ]; then
		find_version
		report
	fi
	find_before
	[ -n "$before_dir" ] || return 0
	keep_configuration "$before_dir" "$package_dir"
	keep_plugins "$before_dir" "$work"
}

# has_proved_itself: what a replacement that was cut off has put on the host works,
# or did until somebody stopped it.
has_proved_itself() {
	case $state in
	healthy) steady ;;
	stopped) [ -f "$keep_next/verified" ] || [ -s "$keep_first" ] ;;
	*) return 1 ;;
	esac
}

# steady: the agent is well and stays so, without any time to become so.
steady() {
	steady_wait=$TRIPOD_WAIT
	TRIPOD_WAIT=2
	wait_healthy
	steady_is=$?
	TRIPOD_WAIT=$steady_wait
	find_version
	return $steady_is
}

# replacing: from here on the host changes, and whoever dies puts back what
# find_before has copied.
replacing() {
	before_dying=put_back
	when_healthy=note_verified
	remove_agent || die "$E_NOT_REMOVED" "the previous version could not be removed"
}

# note_verified notes beside the copy that what took its place is whole, and runs.
note_verified() {
	[ ! -d "$keep_next" ] || echo yes >"$keep_next/verified"
	[ ! -f "$keep_first" ] || echo verified >"$keep_first"
}

# replaced NOW: the version NOW has proved itself. What a RESTORE has replaced is
# not kept; what it has put back is.
replaced() {
	before_dying=
	when_healthy=:
	[ ! -f "$keep_first" ] || rm -f "$keep_first"
	if [ -n "$TRIPOD_RESTORE" ] && [ "$TRIPOD_RESTORE" != "$keep_next" ]; then
		[ -z "$keep_next" ] || discard "$keep_next"
	else
		promote_copy "$1"
	fi
}

# restore_state STATE BOOT has the agent that has proved itself be as the one before was:
# stopped on purpose, or not started at boot.
restore_state() {
	restore_boot "$2"
	[ "$1" = stopped ] || return 0
	if stop_agent; then
		: >"$stopped_note"
	else
		say "the agent was stopped before, but cannot be stopped again"
	fi
	look
	report
}

# remove_failed: where there was no agent before, nothing of one stays.
remove_failed() {
	dying_says="; not all of it could be removed"
	remove_agent || return 0
	look
	version=
	report
	[ ! -f "$keep_first" ] || rm -f "$keep_first"
	dying_says="; nothing of it is left"
}

# put_back puts back what was there before, and says in dying_says whether it
# could. The copy goes only when it is not needed any more.
put_back() {
	when_healthy=:
	if [ "$present" = none ]; then
		remove_failed
		return 0
	fi
	if ! read_kept "$keep_next"; then
		dying_says="; the version before is not kept, so it was not put back"
		return 0
	fi
	back=$kept back_state=$kept_state back_boot=$kept_boot back_says=
	say "putting version $back back"
	# If something in here dies.
	dying_says="; version $back could not be put back, its copy is in $keep_next"
	# What cannot be removed may still be covered.
	remove_agent
	if ! restore_from "$keep_next"; then
		back_says=$restore_says
	else
		case $back_state in
		stopped) ;;
		healthy)
			start_agent
			wait_healthy || back_says="it does not become healthy again"
			;;
		*)
			start_agent
			look
			;;
		esac
		restore_boot "$back_boot"
	fi
	look
	find_version
	report
	if [ -n "$back_says" ]; then
		dying_says="; version $back could not be put back: $back_says; its copy is in $keep_next"
		return 0
	fi
	dying_says="; version $back was put back, $state"
	discard "$keep_next"
}
