# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# agent.sh: the agent on this host: where it lives, and how it is.

# Where the two layouts are below a prefix. The new one is an extension of the uniagent,
# which starts it and starts it again.
old_place=telescope uni_place=uniagent uni_extensions=extension
new_place=$uni_place/$uni_extensions/install/telescope
# Files of the agent below its place.
agent_program=bin/telescope agent_control=telescoped

# use_prefix makes our own places those that are looked at and worked on.
use_prefix() { use_below "$TRIPOD_ROOT$TRIPOD_PREFIX"; }

# use_below PREFIX sets the places below it.
use_below() {
	# The folder of an agent in another place, where that is looked at.
	elsewhere_used=
	prefix=$1
	old_dir=$prefix/$old_place
	uni_dir=$prefix/$uni_place
	new_dir=$prefix/$new_place
	# /proc tells paths without symbolic links.
	real "$old_dir" && old_real=$real_path
	real "$uni_dir" && uni_real=$real_path
	real "$new_dir" && new_real=$real_path
}

# use_layout LAYOUT sets layout, the folder of its agent and the service that starts it.
use_layout() {
	layout=$1 agent_dir=$old_dir service=$old_service
	if [ "$1" = new ]; then agent_dir=$new_dir service=$new_service; fi
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

# look sets state (none, healthy, stopped, unhealthy), layout, agent_dir, service,
# parents, children and pids.
look() {
	use_layout none
	agent_dir=
	if [ -d "$old_dir" ]; then use_layout old; fi
	if [ -d "$new_dir" ]; then use_layout new; fi
	processes "$old_real" "$new_real"
	parents=0 children=0
	for ppid in $parent_pids; do
		case "$pids " in
		*" $ppid "*) children=$((children + 1)) ;;
		*) parents=$((parents + 1)) ;;
		esac
	done
	# Where processes run goes before where files lie.
	case $telescope_dir in
	'') ;;
	"$new_real") use_layout new ;;
	*) use_layout old ;;
	esac
	state=unhealthy
	if [ "$layout" = none ]; then
		state=none
	elif [ -f "$agent_dir/$agent_program" ]; then
		case $parents$children in
		00) state=stopped ;;
		11) state=healthy ;;
		esac
	fi
}

# find_version sets version: of the agent that look has found, empty if it cannot
# be told; version_why is why it was not asked.
find_version() {
	find_top
	version_in "$agent_dir" "$layout" "$top"
}

# version_in DIR LAYOUT TOP sets version and version_why: of the agent whose files are in
# DIR. What others than root can put below TOP is not run. Given a flag that they do not
# know, the agent's programs start running: bin/telescope of the old layout knows none,
# bin/agent only -version before 1.0.14.1; of the new layout -v alone is documented.
version_in() {
	version='' version_why=''
	case $2 in
	old) version_file=$1/bin/agent version_flag=-version ;;
	new) version_file=$1/$agent_program version_flag=-v ;;
	*) return 0 ;;
	esac
	[ -f "$version_file" ] && [ -x "$version_file" ] || return 0
	if ! safe_below "$3" "$version_file"; then
		version_why="its version was not asked: users other than root can change $unsafe"
		return
	fi
	version_rest=$(limited 10 "$safe_path" $version_flag 2>/dev/null)$newline
	while [ -n "$version_rest" ]; do
		version=${version_rest%%"$newline"*}
		version_rest=${version_rest#*"$newline"}
		# From the first digit on, as far as it goes: a number, a dot, and more.
		version=${version#"${version%%[0-9]*}"}
		version=${version%%[!0-9A-Za-z_.-]*}
		version=${version%"${version##*[0-9A-Za-z]}"}
		case ${version%%.*}/$version in
		*[!0-9]*/*) ;;
		*/*.*) return ;;
		esac
	done
}

# safe_below TOP PATH: PATH and the folders around it, up to TOP, belong to one of
# agent_users, as far as they are there, and no one else may write to them. safe_path is
# PATH without links to folders. Else unsafe is the first that is not so, or a link.
safe_below() {
	real "$1"
	safe_top=$real_path
	real "$2"
	safe_path=$real_path
	unsafe=$safe_path
	set --
	while [ -n "$unsafe" ] && [ "$unsafe" != "$safe_top" ]; do
		if [ -e "$unsafe" ] || [ -h "$unsafe" ]; then set -- "$@" "$unsafe"; fi
		unsafe=${unsafe%/*}
	done
	[ $# != 0 ] && ! only_ours "$@" || return 0
	for unsafe; do
		only_ours "$unsafe" && continue
		[ ! -h "$unsafe" ] || unsafe="$unsafe (a link)"
		return 1
	done
}

# safe_agent: the same of what is run and configured of the agent that look has found.
safe_agent() {
	find_top
	safe_below "$top" "$agent_dir" || return 1
	for safe_file in $agent_control bin $agent_program bin/agent conf $config_files; do
		safe_below "$agent_dir" "$agent_dir/$safe_file" || return 1
	done
}

# find_top sets top: up to which folder it counts who can change the agent that look has found.
find_top() {
	top=$prefix
	[ -z "$elsewhere_used" ] || top=$TRIPOD_ROOT # who has made that prefix is not known
}

# only_ours PATH...: each is there and belongs to one of agent_users, and no one else
# may write to it.
only_ours() {
	only_count=$#
	with_lines only_ours_in "$(ls -ldn "$@" 2>/dev/null)"
}

# only_ours_in LINE...: so says a listing, a line each: a name may forge more.
only_ours_in() {
	[ $# = "$only_count" ] || return 1
	set -f
	for only_line; do
		# shellcheck disable=SC2086 # into words; the name, which comes last, is not read
		set -- $only_line
		case $1 in
		?????-??-*) is_in "$3" "$agent_users" && continue ;;
		esac
		set +f
		return 1
	done
	set +f
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
when_healthy=:

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
		if [ $state = healthy ]; then
			$when_healthy
			[ $((clock - wait_since)) -lt "$TRIPOD_STABLE" ] || return 0
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
