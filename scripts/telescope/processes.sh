# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# processes.sh: which processes are the agent's, and how they are stopped.
# Sourced after lib.sh.
#
# Any user of the host can name folders, programs and processes. So what counts is
# what a process's own links in /proc say, read for it alone, and who runs it.

# link_of LINK sets link to where it points. It fails where that holds a line
# break, or cannot be read.
link_of() {
	link=$(readlink "$1" 2>/dev/null && echo .) || return 1
	link=${link%"$newline".}
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
			user=$real
			[ "$effective $saved $files" = "$real $real $real" ] || user=
		done <"/proc/$1/status"
	} 2>/dev/null
	[ -n "$user" ]
}

# find_users sets agent_users: root and, where that is another one, who runs this. Not
# who owns the agent's folder: whoever that has been given to could be the agent.
find_users() {
	user_of $$ || user=0
	agent_users=" 0 $user "
}

# ours PID: one of agent_users runs it, on this host and not in a container on it.
ours() {
	# shellcheck disable=SC3013 # dash, bash and busybox have -ef
	alive "$1" && user_of "$1" && [ "/proc/$1/root" -ef / ] || return 1
	case $agent_users in
	*" $user "*) ;;
	*) return 1 ;;
	esac
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

# candidates LINK DIR... prints the numbers of processes whose LINK (exe or cwd)
# seems to lead into a DIR: one ls for all, for a fork for each process of a busy
# host would take seconds. Its lines can be forged: each process is still to be
# looked at.
candidates() {
	candidates_link=$1
	shift
	# xargs: of very many processes one command line would be too long.
	printf '%s\n' /proc/[0-9]*/"$candidates_link" | xargs ls -l 2>/dev/null |
		awk '
			BEGIN { dirs = ARGC - 1; for (i = 1; i <= dirs; i++) into[i] = " -> " ARGV[i] "/"; ARGC = 1 }
			{
				for (i = 1; i <= dirs; i++) {
					at = index($0, into[i])
					if (!at || !match(substr($0, 1, at - 1), /\/proc\/[0-9]+\/[a-z]+$/)) continue
					split(substr($0, RSTART), part, "/")
					if (!seen[part[3]]++) print part[3]
				}
			}
		' "$@"
}

# processes DIR... prints "PID PPID NAME DIR" for each process of the agent that
# runs from a DIR. NAME is telescope or other: its comm tells, or its argv[0], for
# in the old layout the child is bin/agent under its parent's argv.
processes() {
	for process in $(candidates exe "$@"); do
		runs_from "$process" "$@" || continue
		comm_of "$process"
		[ "$comm" = telescope ] || comm=$(argument 1 "$process")
		process_name=other
		[ "${comm##*/}" != telescope ] || process_name=telescope
		printf '%s %s %s %s\n' "$process" "$stat_ppid" $process_name "$from_dir"
	done
}

# comm_of PID sets comm; argument N PID prints one of its command line.
comm_of() {
	comm=
	{ read -r comm <"/proc/$1/comm"; } 2>/dev/null
}

argument() { { tr '\0' '\n' <"/proc/$2/cmdline" | sed -n "$1p"; } 2>/dev/null; }

# starts_in DIR prints the numbers of scripts at work in DIR that start the agent.
# One that the uniagent has begun outlives it.
starts_in() {
	for process in $(candidates cwd "$1"); do
		comm_of "$process"
		case " bash sh dash $services " in
		*" $comm "*) ;;
		*) continue ;;
		esac
		starts_script=$(argument 2 "$process")
		case $starts_script in
		*/*) ;;
		*) continue ;;
		esac
		case " $services " in
		*" ${starts_script##*/} "*) ;;
		*) continue ;;
		esac
		ours "$process" && link_of "/proc/$process/cwd" || continue
		case $link in
		"$1"/*) printf '%s\n' "$process" ;;
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
		stop_starts=
		[ $stop_signal = KILL ] || stop_starts=$(starts_in "$1")
		stop_pids=
		while read -r stop_pid _; do stop_pids=$stop_pids${stop_pid:+ $stop_pid}; done <<-END
			$(processes "$1")
		END
		if [ -z "$stop_pids$stop_starts" ]; then
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
		for stop_pid in $stop_pids; do
			# Its number may be another one's by now.
			if runs_from "$stop_pid" "$1"; then kill -$stop_signal "$stop_pid" 2>/dev/null; fi
		done
		nap $stop_nap
		stop_nap=0.3
	done
}
