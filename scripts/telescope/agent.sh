# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# agent.sh: the agent on this host: where it lives, which processes are its,
# how it is. Sourced after lib.sh.

# The two layouts. The new one is an extension of the uniagent, which starts it
# and starts it again.
agent_places() {
	prefix=$TRIPOD_ROOT$TRIPOD_PREFIX
	old_dir=$prefix/telescope
	uni_dir=$prefix/uniagent
	new_dir=$uni_dir/extension/install/telescope
	# /proc tells paths without symbolic links.
	old_real=$(real "$old_dir")
	uni_real=$(real "$uni_dir")
	new_real=$(real "$new_dir")
	pid_space=$(readlink /proc/self/ns/pid 2>/dev/null)
}

# real PATH prints it without symbolic links, as far as it exists.
real() {
	if [ -d "$1" ]; then
		(cd -P "$1" 2>/dev/null && pwd -P) || printf '%s\n' "$1"
	elif [ "$1" = "${1%/*}" ] || [ -z "${1%/*}" ]; then
		printf '%s\n' "$1"
	else
		printf '%s/%s\n' "$(real "${1%/*}")" "${1##*/}"
	fi
}

# runs_from PID DIR: its program, or the script that it interprets, is in DIR.
# Sets argv0.
runs_from() {
	runs_exe=$(readlink "/proc/$1/exe" 2>/dev/null)
	argv0=
	argv1=
	{
		read -r argv0
		read -r argv1
	} <<-END
		$(tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null)
	END
	case $runs_exe in
	"$2"/*) return 0 ;;
	esac
	for runs_arg in "$argv0" "$argv1"; do
		case $runs_arg in
		"$2"/*) return 0 ;;
		./*)
			case $(readlink "/proc/$1/cwd" 2>/dev/null)/ in
			"$2"/*) return 0 ;;
			esac
			;;
		esac
	done
	return 1
}

# processes DIR prints "PID PPID NAME" for each process that runs from DIR; NAME
# is telescope or other. A process is called telescope by its comm or its
# argv[0]: in the old layout the child is bin/agent under its parent's argv.
processes() {
	# One ls for all: a fork for each process of a busy host takes seconds.
	# shellcheck disable=SC2012 # the names in /proc are numbers
	processes_seen=" $(ls -l /proc/[0-9]*/exe 2>/dev/null | while IFS= read -r line; do
		case $line in
		*" -> $1/"*)
			line=${line%%/exe -> *}
			printf '%s ' "${line##*/proc/}"
			;;
		esac
	done)"
	for processes_dir in /proc/[0-9]*; do
		pid=${processes_dir#/proc/}
		comm=
		{ read -r comm <"$processes_dir/comm"; } 2>/dev/null
		case $processes_seen in
		*" $pid "*) ;;
		*)
			case $comm in
			telescope | agent | uniagent*) ;;
			*) continue ;;
			esac
			;;
		esac
		alive "$pid" || continue
		# The agent of a container on this host is not this host's agent.
		space=$(readlink "$processes_dir/ns/pid" 2>/dev/null)
		[ -z "$space" ] || [ "$space" = "$pid_space" ] || continue
		runs_from "$pid" "$1" || continue
		name=other
		if [ "$comm" = telescope ] || [ "${argv0##*/}" = telescope ]; then
			name=telescope
		fi
		printf '%s %s %s\n' "$pid" "$stat_ppid" "$name"
	done
}

# count DIR adds the telescope processes of DIR to parents, children and pids.
count() {
	count_all=$(processes "$1")
	count_pids=" $(printf '%s\n' "$count_all" | while read -r pid _ name; do
		[ "$name" != telescope ] || printf '%s ' "$pid"
	done)"
	count_any=0
	while read -r pid ppid name; do
		[ "$name" = telescope ] || continue
		count_any=1
		pids="$pids $pid"
		case $count_pids in
		*" $ppid "*) children=$((children + 1)) ;;
		*) parents=$((parents + 1)) ;;
		esac
	done <<-END
		$count_all
	END
}

# look sets state (none, healthy, stopped, unhealthy), layout, agent_dir,
# parents, children and pids.
look() {
	parents=0 children=0 pids=
	layout=none agent_dir=
	if [ -d "$old_dir" ]; then layout=old agent_dir=$old_dir; fi
	if [ -d "$new_dir" ]; then layout=new agent_dir=$new_dir; fi
	count "$new_real"
	look_new=$count_any
	count "$old_real"
	if [ "$look_new" = 1 ]; then
		layout=new agent_dir=$new_dir
	elif [ "$count_any" = 1 ]; then
		layout=old agent_dir=$old_dir
	fi
	if [ $layout = none ]; then
		state=none
	elif [ $parents = 0 ] && [ $children = 0 ] && [ -f "$agent_dir/bin/telescope" ]; then
		state=stopped
	elif [ $parents = 1 ] && [ $children = 1 ] && [ -f "$agent_dir/bin/telescope" ]; then
		state=healthy
	else
		state=unhealthy
	fi
}

# version_in DIR LAYOUT prints the version of the agent whose files are in DIR,
# nothing if it cannot be told. bin/telescope of the old layout must never be
# asked: it ignores -v and starts running.
version_in() {
	case $2 in
	old) version_bin=$1/bin/agent ;;
	new) version_bin=$1/bin/telescope ;;
	*) return 0 ;;
	esac
	[ -f "$version_bin" ] && [ -x "$version_bin" ] || return 0
	limited 10 "$version_bin" -v 2>/dev/null |
		sed -n 's/^[^0-9]*\([0-9][0-9]*\.[0-9A-Za-z_.-]*[0-9A-Za-z]\).*$/\1/p' | sed -n 1p
}

# report prints the finding about the agent, from look and version.
report() {
	found agent "$state" version "$version" layout "$layout" parents "$parents" children "$children"
}

# wait_healthy waits up to TRIPOD_WAIT seconds for the agent to be healthy with
# the same processes for TRIPOD_STABLE seconds: one that crashes and is started
# again has new ones each time.
wait_healthy() {
	tick
	wait_end=$((clock + TRIPOD_WAIT))
	wait_since=$clock
	wait_pids=none
	while :; do
		look
		tick
		if [ $state != healthy ] || [ "$pids" != "$wait_pids" ]; then
			wait_pids=$pids
			wait_since=$clock
		fi
		if [ $state = healthy ] && [ $((clock - wait_since)) -ge "$TRIPOD_STABLE" ]; then
			return 0
		fi
		# Where nothing is installed, nothing will start.
		[ $state != none ] || return 1
		# A late start is given its time to prove itself, and no more.
		if [ "$clock" -ge $wait_end ]; then
			[ $state = healthy ] && [ "$clock" -lt $((wait_end + TRIPOD_STABLE)) ] || return 1
		fi
		nap 0.5
	done
}

# judge ends the script by what is on the host: returns, or dies of E_VERSION,
# E_UNHEALTHY, or what unhealthy_code says instead.
judge() {
	healthy=yes
	wait_healthy || healthy=no
	version=$(version_in "$agent_dir" "$layout")
	report
	if [ $healthy = no ]; then
		case $state in
		none) why="no agent is installed" ;;
		stopped) why="the agent is installed but does not run" ;;
		healthy) why="the agent's processes keep changing: it crashes and is started again" ;;
		*) why="the agent is not healthy: $parents parent and $children child processes instead of one and one" ;;
		esac
		die "${unhealthy_code-$E_UNHEALTHY}" "$why"
	fi
	if [ -n "$TRIPOD_VERSION" ] && [ "$version" != "$TRIPOD_VERSION" ]; then
		die "$E_VERSION" "the agent's version is ${version:-not known}, not $TRIPOD_VERSION"
	fi
}
