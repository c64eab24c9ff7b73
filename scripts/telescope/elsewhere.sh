# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# elsewhere.sh: agents in other places than ours: the agent's own installer takes a
# folder to install in. Sourced after agent.sh and init.sh.

# find_elsewhere sets elsewhere to the folders of agents in other places, one a line: by
# the agent's init scripts and units, and by what runs. What is named there counts if
# it has the agent's files, or its processes.
find_elsewhere() {
	elsewhere=
	while IFS= read -r else_dir; do
		[ -n "$else_dir" ] || continue
		case $newline$elsewhere in
		*"$newline$else_dir$newline"*) continue ;;
		esac
		elsewhere=$elsewhere$else_dir$newline
	done <<-END
		$(named_dirs)
		$(running_dirs)
	END
	elsewhere=${elsewhere%"$newline"}
}

# is_elsewhere DIR: it can be the folder of an agent, and is not in our places. It sets real_path.
is_elsewhere() {
	case $1 in
	"$old_dir" | "$new_dir") return 1 ;;
	/*/telescope) ;;
	*) return 1 ;;
	esac
	real "$1"
	case $real_path in
	"$old_real" | "$new_real") return 1 ;;
	esac
}

# has_agent DIR: the files of an agent are there.
has_agent() { [ -f "$1/telescoped" ] && [ -d "$1/bin" ]; }

# named_dirs prints the folders that the init system is told to start the agent from,
# where there is one elsewhere or it still runs.
named_dirs() { for named_service in $services; do named_by "$named_service"; done; }

# named_by SERVICE prints those that one service starts.
named_by() {
	{
		named_script=$(init_script "$1")
		[ -z "$named_script" ] || bin_dir_in "$named_script"
		named_units=$(unit_files "$1")
		[ -z "$named_units" ] || printf '%s\n' "$named_units" | while IFS= read -r named_unit; do
			sed -n 's|^ExecStart=[-@:+!]*\(/[^ ]*\)/telescoped\( .*\)\{0,1\}$|\1|p' "$named_unit" 2>/dev/null
		done
	} | while IFS= read -r named_dir; do
		is_elsewhere "$named_dir" || continue
		if has_agent "$named_dir" || [ -n "$(processes "$real_path")" ]; then printf '%s\n' "$named_dir"; fi
	done
}

# leaves_elsewhere: what is removed is the agent in our place alone.
leaves_elsewhere() { [ "$TRIPOD_LEAVE_ELSEWHERE" = yes ]; }

# stays SERVICE: it belongs to an agent elsewhere that is left.
stays() { leaves_elsewhere && [ -n "$(named_by "$1")" ]; }

# running_dirs prints the folders of agents that run elsewhere, of this root.
running_dirs() {
	real "$TRIPOD_ROOT"
	running_root=$real_path
	# The listing can be forged: each process that it does not rule out is looked at by itself.
	printf '%s\n' /proc/[0-9]*/exe | xargs ls -l 2>/dev/null |
		sed -n 's|^.* /proc/\([0-9]*\)/exe -> \(/.*/telescope\)/bin/.*$|\1 \2|p' |
		while IFS=' ' read -r running_pid running_dir; do
			case $running_dir in
			"$running_root"/*) ;;
			*) continue ;;
			esac
			is_elsewhere "$running_dir" || continue
			ours "$running_pid" && link_of "/proc/$running_pid/exe" || continue
			running_dir=${link%/bin/*}
			case $running_dir in
			"$running_root"/*) ;;
			*) continue ;;
			esac
			is_elsewhere "$running_dir" || continue
			if has_agent "$running_dir" && safe_place "$running_dir"; then printf '%s\n' "$running_dir"; fi
		done
}

# use_place DIR makes the place of an agent elsewhere the one that look and
# remove_agent work on.
use_place() {
	elsewhere_used=$1
	prefix=${1%/telescope}
	prefix=${prefix%/uniagent/extension/install}
	find_places
}

# use_prefix makes our own places those again.
use_prefix() {
	elsewhere_used=
	prefix=$TRIPOD_ROOT$TRIPOD_PREFIX
	find_places
}

# safe_place DIR: nobody but root can put something else in the place of DIR. Else
# place_why names the path that others can change.
safe_place() {
	real "$TRIPOD_ROOT"
	safe_top=$real_path
	real "$1"
	safe_path=$real_path
	set --
	while [ -n "$safe_path" ] && [ "$safe_path" != "$safe_top" ]; do
		[ ! -e "$safe_path" ] || set -- "$@" "$safe_path"
		safe_path=${safe_path%/*}
	done
	[ $# != 0 ] && ! only_ours "$@" || return 0
	for safe_path; do
		only_ours "$safe_path" || { place_why=$safe_path; return 1; }
	done
}

# find_agent looks, also in other places where there is no agent in ours, unless that
# alone is of interest.
find_agent() {
	use_prefix
	find_elsewhere
	look
	if [ "$state" = none ] && [ -n "$elsewhere" ] && ! leaves_elsewhere; then
		use_place "${elsewhere%%"$newline"*}"
		look
	fi
}

# refuse_elsewhere ends the script where there is an agent in another place: ours would
# take its service away from it, and leave its files and processes; and which of them a
# service starts is not known.
refuse_elsewhere() {
	find_elsewhere
	[ -n "$elsewhere" ] || return 0
	use_place "${elsewhere%%"$newline"*}"
	look
	find_version
	report
	die "$E_ELSEWHERE" "there is an agent in $elsewhere_used, not in $TRIPOD_ROOT$TRIPOD_PREFIX: uninstall it first (tripod uninstall, or uninstall.sh)"
}
