# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# processes.sh: which processes are the agent's, and how they are stopped.
#
# Any user of the host can name folders, programs and processes. So what counts is
# what a process's own links in /proc say, read for it alone, and who runs it.

# link_of LINK sets link to where it points. It fails where that holds a line
# break, or cannot be read. (One at its very end is cut off, and changes no folder.)
link_of() {
	link=$(readlink "$1" 2>/dev/null) || return 1
	case $link in
	*"$newline"*) return 1 ;;
	esac
}

# user_of PID sets user to the number of the user that it runs as. It fails where
# it has the rights of several. (The owner of /proc/PID may be root for anybody's.)
user_of() {
	user=
	{
		while read -r user_key real effective saved files; do
			[ "$user_key" = Uid: ] || continue
			[ "$effective $saved $files" != "$real $real $real" ] || user=$real
			break
		done <"/proc/$1/status"
	} 2>/dev/null
	[ -n "$user" ]
}

# find_users sets agent_users: root and, where that is another one, who runs this. Not
# who owns the agent's folder: whoever that has been given to could be the agent.
find_users() {
	user_of $$ || user=0
	agent_users="0 $user"
}

# ours PID: one of agent_users runs it, on this host and not in a container on it.
ours() {
	# shellcheck disable=SC3013 # dash, bash and busybox have -ef
	alive "$1" && user_of "$1" && [ "/proc/$1/root" -ef / ] || return 1
	is_in "$user" "$agent_users"
}

# runs_from PID DIR...: it is ours, and its program is in a DIR; from_dir is which.
runs_from() {
	ours "$1" && link_of "/proc/$1/exe" || return 1
	shift
	for from_dir; do
		case $link in
		"$from_dir"/*) return 0 ;;
		esac
	done
	return 1
}

# candidates LINK PART DIR... sets candidates: the numbers of processes whose LINK (exe
# or cwd) seems to lead into a DIR, by a path with PART. One ls for all, for a fork for
# each process of a busy host would take seconds. Its lines can be forged: each process
# is still to be looked at.
candidates() {
	candidates='' candidates_part=$2
	links=$(ls -ln /proc/[0-9]*/"$1" 2>/dev/null)
	# Of very many processes one command line would be too long.
	[ -n "$links" ] || links=$(printf '%s\n' /proc/[0-9]*/"$1" | xargs ls -ln 2>/dev/null)
	shift 2
	for candidates_dir; do with_lines candidates_among "$links"; done
}

candidates_among() {
	for candidate; do
		case $candidate in
		*" -> $candidates_dir"/*"$candidates_part"*) ;;
		*) continue ;;
		esac
		candidate=${candidate%%" -> "*}
		candidate=${candidate##*/proc/}
		candidate=${candidate%%/*}
		case $candidate in
		'' | *[!0-9]*) ;;
		*) is_in "$candidate" "$candidates" || candidates="$candidates $candidate" ;;
		esac
	done
}

# processes DIR... sets running: the numbers of the agent's processes that run from a
# DIR; and of those named telescope pids, parent_pids and telescope_dir, the DIR of one.
# By comm or argv[0], for in the old layout the child is bin/agent under its parent's argv.
processes() {
	running='' pids='' parent_pids='' telescope_dir=''
	candidates exe '' "$@"
	for process in $candidates; do
		runs_from "$process" "$@" || continue
		running="$running $process"
		comm_of "$process"
		[ "$comm" = telescope ] || { argument 1 "$process" && comm=${argument##*/}; }
		[ "$comm" = telescope ] || continue
		pids="$pids $process" parent_pids="$parent_pids $stat_ppid" telescope_dir=$from_dir
	done
}

# comm_of PID sets comm.
comm_of() {
	comm=
	{ read -r comm <"/proc/$1/comm"; } 2>/dev/null
}

# argument N PID sets argument to one of its command line, the first or the second.
argument() {
	argument=$({ tr '\0' '\n' <"/proc/$2/cmdline"; } 2>/dev/null)
	[ "$1" = 1 ] || argument=${argument#*"$newline"}
	argument=${argument%%"$newline"*}
}

# starts_in DIR sets starts: the numbers of scripts at work in DIR that start the agent.
# One that the uniagent has begun outlives it.
starts_in() {
	starts=
	candidates cwd '' "$1"
	for process in $candidates; do
		comm_of "$process"
		is_in "$comm" "bash sh dash $services" || continue
		argument 2 "$process"
		case $argument in
		*/*) is_in "${argument##*/}" "$services" || continue ;;
		*) continue ;;
		esac
		ours "$process" && link_of "/proc/$process/cwd" || continue
		case $link in
		"$1"/*) starts="$starts $process" ;;
		esac
	done
}

# stop_from DIR ends every process of the agent that runs from DIR: asked first,
# then killed. It looks again each time, for what a parent has started anew; once
# more at the end, for what has come while it looked. A start that is under way is
# waited for, not killed.
stop_from() {
	tick
	stop_gone=yes
	stop_end=$((clock + 10))
	stop_signal=TERM
	stop_nap=0.1
	while :; do
		starts=
		[ $stop_signal = KILL ] || starts_in "$1"
		processes "$1"
		if [ -z "$running$starts" ]; then
			[ $stop_gone = no ] || return 0
			stop_gone=yes
			continue
		fi
		stop_gone=no
		tick
		if [ "$clock" -ge $stop_end ]; then
			[ $stop_signal = TERM ] || return 1
			stop_signal=KILL
			stop_end=$((clock + 10))
		fi
		for stop_pid in $running; do
			# Its number may be another one's by now.
			if runs_from "$stop_pid" "$1"; then kill -$stop_signal "$stop_pid" 2>/dev/null; fi
		done
		nap $stop_nap
		stop_nap=0.3
	done
}
