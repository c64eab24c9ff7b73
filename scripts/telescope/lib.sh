# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# lib.sh: what every script of this folder shares: settings, findings, exit
# codes, bounded waits. Sourced by all.sh. Plain POSIX sh: dash, bash, busybox.
#
# A function that finds something sets a variable: $(…) would start a process each time.

# Exit codes. README.md has the table for people.
E_USAGE=2 E_ROOT=10 E_HOST=11 E_SPACE=12 E_PACKAGE=13 E_NOT_REMOVED=14
E_INSTALLER=15 E_UNHEALTHY=16 E_VERSION=17 E_ELSEWHERE=18 E_DOWNLOAD=19 E_REPORTING=21
readonly E_USAGE E_ROOT E_HOST E_SPACE E_PACKAGE E_NOT_REMOVED E_INSTALLER E_UNHEALTHY E_VERSION E_ELSEWHERE E_DOWNLOAD E_REPORTING

# What is found is parsed, so it must not be translated. A sparse PATH (sudo,
# cron) lacks the folders of chkconfig and update-rc.d; ours go last, so that
# the caller's own come first.
LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
CDPATH=
export LC_ALL PATH
unset ENV BASH_ENV QUOTING_STYLE
umask 077

# say MESSAGE... tells people, on stderr.
say() { printf '%s\n' "${0##*/}: $*" >&2; }

newline='
'

# die CODE MESSAGE... ends the script. What before_dying names is done first, once;
# it may set dying_says, the end of the message. Where it dies itself, the first
# code and message stay, and its message comes after what it has set until then.
before_dying=
dying_says=
dying_of=
die() {
	if [ -n "$dying_of" ]; then
		shift
		say "$dying_of$dying_says: $*"
		exit "$die_code"
	fi
	die_code=$1
	shift
	die_first=$before_dying
	before_dying=
	if [ -n "$die_first" ]; then
		say "$*"
		dying_of=$*
		$die_first
	fi
	say "$*$dying_says"
	exit "$die_code"
}

# encode VALUE sets encoded: VALUE, what would break a finding apart as %XX.
encode() {
	encode_rest=$1 encoded=
	case $1 in
	*[[:cntrl:]]*) encode_rest=$(printf '%s' "$1" | tr '\r\t' '  ') ;;
	esac
	while :; do
		encode_part=${encode_rest%%["% =$newline"]*}
		encoded=$encoded$encode_part
		encode_rest=${encode_rest#"$encode_part"}
		case $encode_rest in
		'') return ;;
		%*) encoded=$encoded%25 ;;
		=*) encoded=$encoded%3D ;;
		' '*) encoded=$encoded%20 ;;
		*) encoded=$encoded%0A ;;
		esac
		encode_rest=${encode_rest#?}
	done
}

# found KEY VALUE [KEY VALUE]... prints one finding.
found() {
	found_line=tripod:
	while [ $# -ge 2 ]; do
		encode "$2"
		found_line="$found_line $1=$encoded"
		shift 2
	done
	printf '%s\n' "$found_line"
}

# with_lines COMMAND TEXT does the COMMAND with each line of the TEXT as an argument.
with_lines() {
	IFS=$newline
	set -f
	# shellcheck disable=SC2086 # into lines
	set -- "$1" $2
	unset IFS
	set +f
	"$@"
}

# is_in WORD LIST
is_in() {
	case " $2 " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

have() { command -v "$1" >/dev/null 2>&1; }

# each CHECK NAME... does CHECK NAME VALUE for each of these settings.
each() {
	each_check=$1
	shift
	for each_name; do eval "$each_check $each_name \"\$$each_name\""; done
}

# digits NAME VALUE refuses what is not a whole number, and not empty.
digits() {
	case $2 in
	*[!0-9]*) die "$E_USAGE" "$1 must be a whole number" ;;
	esac
}

# yes_or_no NAME VALUE refuses what is neither, and not empty.
yes_or_no() {
	case $2 in
	'' | yes | no) ;;
	*) die "$E_USAGE" "$1 must be yes or no" ;;
	esac
}

# plain NAME VALUE refuses control characters: they cannot be meant.
plain() {
	case $2 in
	*[[:cntrl:]]*) die "$E_USAGE" "$1 holds a control character" ;;
	esac
}

# load_settings [FILE] reads the settings. Only the file counts, and TRIPOD_ROOT
# from the environment: the same names mean other things to the tripod command.
load_settings() {
	case ${1-} in
	-h | --help)
		sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	-*) die "$E_USAGE" "unknown option: $1 (see --help)" ;;
	esac
	[ $# -le 1 ] || die "$E_USAGE" "one argument at most: the settings file"
	unset TRIPOD_PACKAGE TRIPOD_RESTORE TRIPOD_PREFIX TRIPOD_VERSION TRIPOD_KEEP \
		TRIPOD_WORK TRIPOD_ARCH TRIPOD_NEED_KIB TRIPOD_WAIT TRIPOD_STABLE TRIPOD_RUN_LIMIT \
		TRIPOD_INSTANCE_ID TRIPOD_PROJECT_ID TRIPOD_REGION TRIPOD_ACCESS_KEY \
		TRIPOD_SECRET_KEY TRIPOD_CLIENT_PORT TRIPOD_PORT_NUM TRIPOD_BMS TRIPOD_ENDPOINT \
		TRIPOD_ONLINE_URL TRIPOD_ONLINE_INSECURE TRIPOD_ABSENT TRIPOD_TASK \
		TRIPOD_REQUIRE_REPORTING TRIPOD_METADATA TRIPOD_PURGE TRIPOD_LEAVE_ELSEWHERE \
		TRIPOD_ONLINE_SCRIPT TRIPOD_ONLINE_UNIAGENT TRIPOD_ONLINE_DOMAIN TRIPOD_ONLINE_OBS
	settings=${1:-./settings}
	case $settings in
	*/*) ;;
	*) settings=./$settings ;;
	esac
	if [ -r "$settings" ] && [ -f "$settings" ]; then
		# shellcheck disable=SC1090 # named by the caller
		. "$settings" || die "$E_USAGE" "the settings cannot be read: $settings"
	elif [ $# -eq 1 ]; then
		die "$E_USAGE" "no such settings file: $settings"
	fi
	: "${TRIPOD_PREFIX:=/usr/local}" "${TRIPOD_ONLINE_SCRIPT:=agent_install.sh}" \
		"${TRIPOD_NEED_KIB:=0}" "${TRIPOD_WAIT:=60}" "${TRIPOD_STABLE:=5}" "${TRIPOD_RUN_LIMIT:=600}"
	check_settings
}

check_settings() {
	case $TRIPOD_ROOT in
	'' | /*) TRIPOD_ROOT=${TRIPOD_ROOT%/} ;;
	*) die "$E_USAGE" "TRIPOD_ROOT must be an absolute path" ;;
	esac
	case $TRIPOD_PREFIX in
	/ | *[!A-Za-z0-9._/-]* | */../* | */..) die "$E_USAGE" "TRIPOD_PREFIX must be an absolute path of plain characters" ;;
	/*) TRIPOD_PREFIX=${TRIPOD_PREFIX%/} ;;
	*) die "$E_USAGE" "TRIPOD_PREFIX must be an absolute path of plain characters" ;;
	esac
	case $TRIPOD_VERSION in
	*[!0-9A-Za-z_.-]*) die "$E_USAGE" "TRIPOD_VERSION may hold letters, digits, '_', '.' and '-'" ;;
	esac
	case $TRIPOD_BMS in
	'' | true | false) ;;
	*) die "$E_USAGE" "TRIPOD_BMS must be true or false" ;;
	esac
	each digits TRIPOD_NEED_KIB TRIPOD_WAIT TRIPOD_STABLE TRIPOD_RUN_LIMIT TRIPOD_CLIENT_PORT TRIPOD_PORT_NUM
	each yes_or_no TRIPOD_ONLINE_INSECURE TRIPOD_ABSENT TRIPOD_REQUIRE_REPORTING TRIPOD_PURGE TRIPOD_LEAVE_ELSEWHERE
	each plain TRIPOD_ROOT TRIPOD_INSTANCE_ID TRIPOD_PROJECT_ID TRIPOD_REGION TRIPOD_ACCESS_KEY \
		TRIPOD_SECRET_KEY TRIPOD_ENDPOINT
}

uid=
is_root() { [ "${uid:=$(id -u 2>/dev/null)}" = 0 ]; }

need_root() { is_root || die "$E_ROOT" "this must run as root (it is user $(id -un 2>/dev/null || id -u))"; }

# make_work makes $work, a private folder beside the settings unless told otherwise, which
# goes when the script ends; and with it the installer that runs.
make_work() {
	[ -n "$TRIPOD_WORK" ] || TRIPOD_WORK=$(cd "${settings%/*}/" && pwd)
	work=$TRIPOD_WORK/unpacked.$$
	mkdir "$work" || die "$E_SPACE" "cannot make a folder in $TRIPOD_WORK"
	installer_pid=
	trap 'clean_up' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

clean_up() {
	[ -z "$installer_pid" ] || kill_tree "$installer_pid"
	rm -rf "$work"
	drop_init_folder
}

# clear PATH... removes what there is of it, with one process, or none.
clear() {
	for clear_path; do
		[ -e "$clear_path" ] || [ -h "$clear_path" ] || continue
		rm -rf "$@"
		return
	done
}

# make_private DIR makes a folder that nobody else may enter, where there is none.
make_private() { [ -d "$1" ] || mkdir -p "$1"; }

# make_folder DIR makes a folder that all may enter, where there is none.
make_folder() { [ -d "$1" ] || (umask 022 && mkdir -p "$1"); }

# tick sets clock: seconds since boot, by a clock that nobody sets.
tick() {
	read -r clock _ </proc/uptime
	clock=${clock%%.*}
}

# nap SECONDS sleeps a moment; a second where sleep takes whole numbers only.
nap() { sleep "$1" 2>/dev/null || sleep 1; }

# stat_of PID sets stat_state and stat_ppid; it fails if there is no such process.
# The name in the middle may hold anything, in older kernels a line break too: hence
# the last line, cut at its last parenthesis.
stat_of() {
	stat_line=
	{ while IFS= read -r stat_next; do stat_line=$stat_next; done <"/proc/$1/stat"; } 2>/dev/null
	[ -n "$stat_line" ] || return 1
	stat_line=${stat_line##*) }
	stat_state=${stat_line%% *}
	stat_line=${stat_line#* }
	stat_ppid=${stat_line%% *}
}

# alive PID: it runs, and is not a zombie that nobody has waited for.
alive() {
	stat_of "$1" || return 1
	case $stat_state in
	Z | X) return 1 ;;
	esac
}

# kill_tree PID kills a process and all that descends from it.
kill_tree() {
	kill -STOP "$1" 2>/dev/null
	for kill_dir in /proc/[0-9]*; do
		if stat_of "${kill_dir#/proc/}" && [ "$stat_ppid" = "$1" ]; then
			(kill_tree "${kill_dir#/proc/}")
		fi
	done
	kill -KILL "$1" 2>/dev/null
}

# limited SECONDS COMMAND... runs a command, input from /dev/null; 124 if it
# had to be killed. It is killed too when the script itself has been: nobody waits
# for it then, and the next run must not meet it. (The command `timeout` is not
# everywhere, and kills a whole group, which a daemon may have joined.) What
# meanwhile names is done again and again until then.
meanwhile=:
limited() {
	tick
	limited_end=$((clock + $1))
	shift
	"$@" </dev/null &
	limited_pid=$!
	limited_nap=0.02 # most are over at once
	while alive $limited_pid; do
		tick
		# In a subshell, too, $$ is the script.
		if [ "$clock" -ge $limited_end ] || ! alive $$; then
			kill_tree $limited_pid
			wait $limited_pid 2>/dev/null
			return 124
		fi
		$meanwhile
		nap $limited_nap
		limited_nap=0.2
	done
	wait $limited_pid
}
