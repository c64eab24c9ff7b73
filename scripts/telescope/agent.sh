# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# agent.sh: the agent on this host: where it lives, and how it is. Sourced after
# processes.sh.

# agent_places finds the init system, and the two layouts. The new one is an extension of
# the uniagent, which starts it and starts it again.
agent_places() {
	prefix=$TRIPOD_ROOT$TRIPOD_PREFIX
	# The folders of agents in other places, and the one of them that is looked at.
	elsewhere='' elsewhere_used=''
	init=$(init_system)
	find_users
	find_places
}

# find_places sets the places below prefix.
find_places() {
	old_dir=$prefix/telescope
	uni_dir=$prefix/uniagent
	new_dir=$uni_dir/extension/install/telescope
	# /proc tells paths without symbolic links.
	real "$old_dir" && old_real=$real_path
	real "$uni_dir" && uni_real=$real_path
	real "$new_dir" && new_real=$real_path
}

# real PATH sets real_path: PATH without symbolic links, as far as it exists. A path that
# has none needs no subshell.
real() {
	real_path=$1 real_part=$1
	case $1 in
	[!/]* | *//* | */ | */. | */.. | */./* | */../*) ;;
	*) while [ -n "$real_part" ] && [ ! -h "$real_part" ]; do real_part=${real_part%/*}; done ;;
	esac
	[ -z "$real_part" ] || real_path=$(followed "$1")
}

# followed PATH prints it without symbolic links. It is for a subshell, whose folder it changes.
followed() {
	if [ -d "$1" ]; then
		cd -P "$1" 2>/dev/null && pwd -P || printf '%s\n' "$1"
	elif [ "$1" = "${1%/*}" ] || [ -z "${1%/*}" ]; then
		printf '%s\n' "$1"
	else
		printf '%s/%s\n' "$(followed "${1%/*}")" "${1##*/}"
	fi
}

# look sets state (none, healthy, stopped, unhealthy), layout, agent_dir,
# parents, children and pids.
look() {
	parents=0 children=0 pids=
	layout=none agent_dir=
	if [ -d "$old_dir" ]; then layout=old agent_dir=$old_dir; fi
	if [ -d "$new_dir" ]; then layout=new agent_dir=$new_dir; fi
	look_all=$(processes "$old_real" "$new_real")
	while read -r pid _ name _; do
		[ "$name" != telescope ] || pids="$pids $pid"
	done <<-END
		$look_all
	END
	while read -r pid ppid name dir; do
		[ "$name" = telescope ] || continue
		case "$pids " in
		*" $ppid "*) children=$((children + 1)) ;;
		*) parents=$((parents + 1)) ;;
		esac
		# Where processes run goes before where files lie.
		layout=old agent_dir=$old_dir
		if [ "$dir" = "$new_real" ]; then layout=new agent_dir=$new_dir; fi
	done <<-END
		$look_all
	END
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

# find_version sets version: of the agent that look has found, empty if it cannot
# be told; version_why is why it was not asked.
find_version() {
	version_below=$prefix
	[ -z "$elsewhere_used" ] || version_below=$TRIPOD_ROOT # who has made that prefix is not known
	version=$(version_in "$agent_dir" "$layout" "$version_below")
	version_why=
	case $version in
	/*) version_why="its version was not asked: users other than root can change $version" version= ;;
	esac
}

# version_in DIR LAYOUT TOP prints the version of the agent whose files are in DIR,
# nothing if it cannot be told. What others than root can put below TOP is not run: its
# path is printed. Given a flag that they do not know, the agent's programs start
# running: bin/telescope of the old layout knows none, bin/agent only -version before
# 1.0.14.1; of the new layout -v alone is documented.
version_in() {
	real "$3"
	version_top=$real_path
	case $2 in
	old) set -- "$1/bin/agent" -version ;;
	new) set -- "$1/bin/telescope" -v ;;
	*) return 0 ;;
	esac
	[ -f "$1" ] && [ -x "$1" ] || return 0
	real "${1%/*}"
	version_file=$real_path/${1##*/} version_flag=$2
	version_path=$version_file
	set --
	while [ -n "$version_path" ] && [ "$version_path" != "$version_top" ]; do
		set -- "$@" "$version_path"
		version_path=${version_path%/*}
	done
	only_ours "$@" || for version_path; do
		only_ours "$version_path" || { printf '%s\n' "$version_path"; return 0; }
	done
	limited 10 "$version_file" "$version_flag" 2>/dev/null |
		sed -n 's/^[^0-9]*\([0-9][0-9]*\.[0-9A-Za-z_.-]*[0-9A-Za-z]\).*$/\1/p' | sed -n 1p
}

# only_ours PATH...: each is there and belongs to one of agent_users, and no one else
# may write to it.
only_ours() {
	# shellcheck disable=SC2012 # the name, which comes last, is not read
	ls -ldn "$@" 2>/dev/null | {
		only_left=$#
		while read -r only_mode _ only_owner _; do
			case $only_mode in
			?????-??-*) ;;
			*) return 1 ;;
			esac
			case $agent_users in
			*" $only_owner "*) ;;
			*) return 1 ;;
			esac
			only_left=$((only_left - 1))
		done
		[ $only_left = 0 ] # one line each: a name may forge more
	}
}

# report prints the finding about the agent, from look and find_version. An agent
# that does not run is stopped only where that is meant.
report() {
	tell_crashed
	set -- agent "$state" version "$version" layout "$layout" parents "$parents" children "$children"
	if [ -n "$elsewhere_used" ]; then
		set -- "$@" at "$elsewhere_used"
	elif [ -n "$elsewhere" ]; then
		set -- "$@" elsewhere "$elsewhere"
	fi
	found "$@" ${version_why:+why "$version_why"}
}

# when_healthy names what is done whenever wait_healthy sees the agent well.
when_healthy=

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
		if [ $state = healthy ] && [ -n "$when_healthy" ]; then $when_healthy; fi
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
# E_UNHEALTHY or what unhealthy_code says instead, or E_REPORTING where that is required.
judge() {
	healthy=yes
	wait_healthy || healthy=no
	find_version
	judged=$state
	report
	tell_reporting
	if [ $healthy = no ]; then
		case $judged in
		none) why="no agent is installed" ;;
		stopped) why="the agent is installed but does not run" ;;
		healthy) why="the agent's processes keep changing: it crashes and is started again" ;;
		*) why="the agent is not healthy: $parents parent and $children child processes instead of one and one" ;;
		esac
		die "${unhealthy_code-$E_UNHEALTHY}" "$why"
	fi
	check_version
}

# check_version ends the script if find_version has found another one than is wanted.
check_version() {
	if [ -n "$TRIPOD_VERSION" ] && [ "$version" != "$TRIPOD_VERSION" ]; then
		die "$E_VERSION" "the agent's version is ${version:-not known}, not $TRIPOD_VERSION${version_why:+: $version_why}"
	fi
	if [ "$reporting" = no ] && [ "$TRIPOD_REQUIRE_REPORTING" = yes ]; then
		die "$E_REPORTING" "the agent cannot report: $reporting_why"
	fi
}
