# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# elsewhere.sh: agents in other places than ours: the agent's own installer takes a
# folder to install in.

# find_elsewhere sets elsewhere to the folders of agents in other places, one a line: by
# the agent's init scripts and units, and by what runs. What is named there counts if
# it has the agent's files, or its processes.
find_elsewhere() {
	dirs=
	for name in $services; do named_by "$name"; done
	running_dirs
	elsewhere=${dirs%"$newline"}
}

add_dir() {
	case $newline$dirs in
	*"$newline$1$newline"*) ;;
	*) dirs=$dirs$1$newline ;;
	esac
}

# is_elsewhere DIR: it can be the folder of an agent, and is not in our places. It sets real_path.
is_elsewhere() {
	case $1 in
	"$old_dir" | "$new_dir") return 1 ;;
	/*/"$old_place") ;;
	*) return 1 ;;
	esac
	real "$1"
	case $real_path in
	"$old_real" | "$new_real") return 1 ;;
	esac
}

# has_agent DIR: the files of an agent are there.
has_agent() { [ -f "$1/$agent_control" ] && [ -d "$1/bin" ]; }

# named_by SERVICE adds to dirs the folders that the init system is told to start the agent
# from, where there is one elsewhere or it still runs.
named_by() {
	init_script "$1"
	[ -z "$script" ] || { bin_dir_in "$script" && named_dir "$bin_dir"; }
	any unit_files "$1"
	while next_listed; do
		named_dir "$(sed -n -e '\|^ExecStart=[-@:+!]*\(/[^ ]*\)/'"$agent_control"'\( .*\)\{0,1\}$|!d' -e 's||\1|' -e p -e q "$listed_file" 2>/dev/null)"
	done
}

named_dir() {
	is_elsewhere "$1" || return 0
	# Without links, so that nobody leads elsewhere later.
	case $real_path in
	*/"$old_place") set -- "$real_path" ;;
	esac
	has_agent "$1" || { processes "$real_path"; [ -n "$running" ]; } || return 0
	add_dir "$1"
}

# leaves_elsewhere: what is removed is the agent in our place alone.
leaves_elsewhere() { [ "$TRIPOD_LEAVE_ELSEWHERE" = yes ]; }

# stays SERVICE: it belongs to an agent elsewhere that is left.
stays() {
	leaves_elsewhere || return 1
	dirs=
	named_by "$1"
	[ -n "$dirs" ]
}

# running_dirs adds to dirs the folders of agents that run elsewhere, of this root.
running_dirs() {
	real "$TRIPOD_ROOT"
	running_root=$real_path
	candidates exe /telescope/bin/ "$running_root"
	for process in $candidates; do
		ours "$process" && link_of "/proc/$process/exe" || continue
		running_dir=${link%/bin/*}
		case $running_dir in
		"$running_root"/*) ;;
		*) continue ;;
		esac
		is_elsewhere "$running_dir" && has_agent "$running_dir" && safe_below "$TRIPOD_ROOT" "$running_dir" || continue
		add_dir "$running_dir"
	done
}

# use_place DIR makes the place of an agent elsewhere the one that look and
# remove_agent work on.
use_place() {
	case $1 in
	*/"$new_place") use_below "${1%/"$new_place"}" ;;
	*) use_below "${1%/"$old_place"}" ;;
	esac
	elsewhere_used=$1
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
