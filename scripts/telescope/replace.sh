# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# replace.sh: one version takes another one's place, and the one before comes
# back where that fails. Sourced after keep.sh.
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
	rm -rf "$TRIPOD_KEEP".new.*
	clear_retired "$TRIPOD_KEEP"
	clear_retired "$TRIPOD_KEEP.next"
	if [ -n "$(kept_version "$TRIPOD_KEEP.next")" ]; then
		if ! has_proved_itself; then
			# Who goes on from the copy is who is undone with it.
			[ -n "$TRIPOD_RESTORE" ] || replaced_by "$TRIPOD_KEEP.next" "$TRIPOD_TASK"
			found unfinished "$(kept_version "$TRIPOD_KEEP.next")" at "$TRIPOD_KEEP.next"
			before_dir=$TRIPOD_KEEP.next/tree/telescope
			[ -d "$before_dir" ] || before_dir=$TRIPOD_KEEP.next/tree/uniagent/extension/install/telescope
			present=$(kept_state "$TRIPOD_KEEP.next") present_boot=$(kept_boot "$TRIPOD_KEEP.next")
			return 0
		fi
		[ -n "$TRIPOD_RESTORE" ] || promote_copy "$version"
	fi
	if [ -f "$TRIPOD_KEEP.first" ] && ! has_proved_itself; then
		# Half of an agent, where there was none.
		present=none present_boot=enabled before_dir=
	elif [ "$state" != none ]; then
		rm -f "$TRIPOD_KEEP.first"
		copy_present
	else
		mkdir -p "${TRIPOD_KEEP%/*}" && : >"$TRIPOD_KEEP.first" ||
			die "$E_SPACE" "nothing can be written to ${TRIPOD_KEEP%/*}"
	fi
}

# look_before looks, tells what is there, and has it copied; its configuration
# goes into the package that is to take its place, the user's plugins into $work.
look_before() {
	look
	if settle_configuration; then discard "$(old_config)"; fi
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
	stopped) [ -f "$TRIPOD_KEEP.next/well" ] || [ -s "$TRIPOD_KEEP.first" ] ;;
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
	when_healthy=note_well
	remove_agent || die "$E_IN_THE_WAY" "the previous version could not be removed"
}

# note_well notes beside the copy that what took its place is whole, and runs.
note_well() {
	[ ! -d "$(present_copy)" ] || echo yes >"$TRIPOD_KEEP.next/well"
	[ -z "$TRIPOD_KEEP" ] || [ ! -f "$TRIPOD_KEEP.first" ] || echo well >"$TRIPOD_KEEP.first"
}

# replaced NOW: the version NOW has proved itself. What a RESTORE has replaced is
# not kept; what it has put back is.
replaced() {
	before_dying=
	when_healthy=
	[ -z "$TRIPOD_KEEP" ] || rm -f "$TRIPOD_KEEP.first"
	if [ -n "$TRIPOD_RESTORE" ] && [ "$TRIPOD_RESTORE" != "$(present_copy)" ]; then
		[ -z "$TRIPOD_KEEP" ] || discard "$TRIPOD_KEEP.next"
	else
		promote_copy "$1"
	fi
}

# settle STATE BOOT has the agent that has proved itself be as the one before was:
# stopped on purpose, or not started at boot.
settle() {
	settle_boot "$2"
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
	[ -z "$TRIPOD_KEEP" ] || rm -f "$TRIPOD_KEEP.first"
	dying_says="; nothing of it is left"
}

# put_back puts back what was there before, and says in dying_says whether it
# could. The copy goes only when it is not needed any more.
put_back() {
	when_healthy=
	back=$(kept_version "$(present_copy)")
	if [ "$present" = none ]; then
		remove_failed
		return 0
	fi
	if [ -z "$back" ]; then
		dying_says="; the version before is not kept, so it was not put back"
		return 0
	fi
	say "putting version $back back"
	back_from=$(present_copy)
	back_says=
	# If something in here dies.
	dying_says="; version $back could not be put back, its copy is in $back_from"
	# What cannot be removed may still be covered.
	remove_agent
	if ! restore_from "$back_from"; then
		back_says=$restore_says
	else
		case $(kept_state "$back_from") in
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
		settle_boot "$(kept_boot "$back_from")"
	fi
	look
	find_version
	report
	if [ -n "$back_says" ]; then
		dying_says="; version $back could not be put back: $back_says; its copy is in $back_from"
		return 0
	fi
	dying_says="; version $back was put back, $state"
	discard "$back_from"
}
