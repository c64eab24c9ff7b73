# shellcheck shell=sh
# shellcheck disable=SC2034 # what is set here is used by the other files
# lib.sh: what the scripts of this folder share. They are what Tripod runs on a
# host around the script that does the work. Plain POSIX sh: dash, bash, ash.
#
# How they get there: one shell on the host reads them from its standard input,
# each file when it is first needed, and after them the lines that call main. So
# nothing is stored, and no other user can change or read it. A call is in braces:
# one that was cut short on its way is not run.
#
# How they answer: in frames, on descriptor 3. "o N", a line, and N bytes are
# output of the script that is followed; ": WORD NAME=VALUE..." is a finding;
# ". CODE" ends an answer. Nothing else gets this descriptor: what other programs
# print is in a frame or goes to standard error.
#
# The arguments of the shell: LC_ALL as the login had it, and the user id of the
# login.
umask 077
lc_all=${1-} login_uid=${2-}
LC_ALL=C # lengths are bytes, and messages are the ones that we know
system=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
# Not what the caller's PATH has first; tests have shims there.
if [ -n "${TRIPOD_ROOT-}" ]; then PATH=$PATH:$system; else PATH=$system${PATH:+:$PATH}; fi
export PATH LC_ALL
unset CDPATH
if [ -t 0 ]; then chmod 600 "$(tty)" 2>/dev/null; fi # sudo's own: nobody else may write there
# Options that the environment may have set.
set +e +u +f +C
if command -v shopt >/dev/null 2>&1; then
	# shellcheck disable=SC3044 # bash has it
	shopt -u failglob nullglob dotglob nocaseglob nocasematch
fi
exec 3>&1 1>&2

# say WORD... sends one finding.
say() { printf ': %.4000s\n' "$*" >&3; }

# show TEXT sends a line of output.
show() { printf 'o %d\n%s\n' $((${#1} + 1)) "$1" >&3; }

# encode TEXT sets $encoded: its first 400 bytes as %XX, or plain text as it is.
encode() {
	case $1 in
	*[!A-Za-z0-9._/-]*)
		encoded=$(printf '%.400s' "$1" | od -An -v -tx1 | tr -d '\n' | tr ' ' '%')
		;;
	*) # spares four processes, on every host
		encoded=$1
		;;
	esac
}

have() { command -v "$1" >/dev/null 2>&1; }

# main VERB NAME=VALUE... does one piece of work, and ends the answer.
main() {
	verb=$1
	shift
	id='' key='' root='' target='' need=0 blobs='' want='' known='' check='' user='' \
		script='' beside='' package='' kept='' purge='' doing='' configure='' from='' now='' offset=0 launch='' wipe='' why='' grace=5 uid=''
	for arg in "$@"; do
		case ${arg%%=*} in
		id | key | root | target | need | blobs | want | known | check | user | \
			script | beside | package | kept | purge | doing | configure | from | now | offset | launch | wipe | why | grace)
			eval "${arg%%=*}=\${arg#*=}"
			;;
		esac
	done
	: "${TRIPOD_ROOT=}"
	me='' # the user id that files are made with
	{
		while read -r name value effective rest; do
			[ "$name" != Uid: ] || me=$effective
		done </proc/self/status
	} 2>/dev/null
	boot=unknown
	{ read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
	[ -z "$root" ] || run=$root/runs/$id
	"do_$verb"
	printf '. %d\n' $? >&3
	answered=yes
}

# places, with $uid, sets $places to the folders that work may be done in, the best first.
places() {
	if [ "$user" = yes ]; then
		places="${HOME:-/nowhere}/.tripod $TRIPOD_ROOT/var/tmp/tripod-$uid $TRIPOD_ROOT/tmp/tripod-$uid"
	else
		places=
		for place in /var/lib/tripod /opt/tripod /usr/local/lib/tripod /root/.tripod /var/tmp/tripod /tmp/tripod; do
			places="$places $TRIPOD_ROOT$place"
		done
	fi
}

# ours DIR: a real folder, of this user alone. One look tells it: between two, others
# could put something else there. A second argument is how it must look, as ls has it.
ours() {
	fault=
	# shellcheck disable=SC2046 # words
	set -- "${2-drwx--[-S]---}" $(ls -ldn "$1" 2>/dev/null)
	case ${2-} in
	l*) fault='a symbolic link' ;;
	d*)
		if [ "${4-}" != "$me" ]; then
			fault='it belongs to somebody else'
		else
			# shellcheck disable=SC2254 # it is a pattern
			case $2 in
			$1*) ;;
			*) fault='others may enter it' ;;
			esac
		fi
		;;
	*) fault='not a folder' ;;
	esac
	[ -z "$fault" ]
}

# put FILE TEXT writes a file.
put() { printf '%s' "$2" >"$1"; }

# sum_of FILE sets $sum to its SHA-256, empty if nothing here can tell it.
sum_of() {
	if have sha256sum; then
		sum=$(sha256sum <"$1")
	elif have shasum; then
		sum=$(shasum -a 256 <"$1")
	elif have openssl; then
		sum=$(openssl dgst -sha256 -r <"$1")
	elif have busybox; then
		sum=$(busybox sha256sum <"$1")
	else
		sum=
	fi
	sum=${sum%% *}
}

# look_at PID sets $group, $session and $born (clock ticks after the boot). It
# fails if there is no such process, or only a zombie. The name in the middle may
# hold anything, in older kernels a line break too: hence the last line, cut at its
# last parenthesis.
look_at() {
	line=
	{ while IFS= read -r next; do line=$next; done <"/proc/$1/stat"; } 2>/dev/null
	# shellcheck disable=SC2086 # to be split into words
	set -- ${line##*) }
	[ $# -ge 20 ] || return 1
	group=$3 session=$4 born=${20}
	case $1 in
	Z | X) return 1 ;;
	esac
}

# run_state sets $state to how the run $run stands, by what is in its folder:
#   absent  no folder
#   staged  a folder, but no script was started
#   alive   the process $pid keeps the script, for $age seconds now
#   exited  the script has ended with $code
#   died    started, but there is neither a process nor an exit code;
#           $rebooted says whether the host was started anew since
#   fenced  stopped before it began
# $by is the attempt that started it; $killed why Tripod killed it, if it did.
run_state() {
	state=absent code='' pid='' by='' age=0 rebooted=no killed=''
	[ -d "$run" ] || return 0
	state=staged
	{ read -r pid pid_born pid_boot by <"$run/started"; } 2>/dev/null || return 0
	{ read -r killed <"$run/killed"; } 2>/dev/null
	if [ "$pid" = 0 ]; then
		state=fenced
	elif exit_code; then
		state=exited
	elif [ "$pid_boot" != "$boot" ]; then
		state=died rebooted=yes
	elif look_at "$pid" && [ "$born" = "$pid_born" ]; then
		state=alive
		{ read -r now rest </proc/uptime; } 2>/dev/null && age=$((${now%%.*} - born / 100))
		: "$rest"
	elif exit_code; then # it ended between the two looks
		state=exited
	else
		state=died
	fi
}

# inboxes sets $inboxes to what names of folders begin with in which a login that is not
# root may put files for this run.
inboxes() { inboxes="$TRIPOD_ROOT/var/tmp/tripod-in.$id $TRIPOD_ROOT/tmp/tripod-in.$id"; }

# remove_inbox removes them. There is nothing but files in them.
remove_inbox() {
	inboxes
	for prefix in $inboxes; do
		for inbox in "$prefix".*; do
			# Others may put thousands there: the first three start no process.
			if [ -d "$inbox" ] && [ -O "$inbox" ] && [ ! -L "$inbox" ] && ours "$inbox" drwx--x--x; then
				rm -f "$inbox"/in/.[0-9a-f]*.tmp
				rmdir "$inbox/in" "$inbox" 2>/dev/null
			fi
		done
	done
}

exit_code() { { read -r code <"$run/exit"; } 2>/dev/null && [ -n "$code" ]; }

# say_state tells all that run_state found.
say_state() {
	say "$1 state=$state code=$code pid=$pid by=$by age=$age rebooted=$rebooted killed=$killed"
}

# family prints the living processes of the session or group $pid.
family() {
	for entry in /proc/[0-9]*; do
		if look_at "${entry#/proc/}"; then
			if [ "$group" = "$pid" ] || [ "$session" = "$pid" ]; then
				printf '%s ' "${entry#/proc/}"
			fi
		fi
	done
}

# end_family kills what is left of the session $pid: TERM, then after $grace
# seconds KILL. It fails if something outlives that.
end_family() {
	# A new process that was given the old number is not ours.
	if look_at "$pid" && [ "$born" != "$pid_born" ]; then
		return 0
	fi
	tries=0
	while members=$(family) && [ -n "$members" ]; do
		if [ "$tries" -eq 0 ]; then
			kill -TERM "-$pid" 2>/dev/null
		elif [ "$tries" -ge "$grace" ]; then
			[ "$tries" -lt $((grace + 10)) ] || return 1
			# shellcheck disable=SC2086 # numbers
			kill -KILL "-$pid" $members 2>/dev/null
		fi
		tries=$((tries + 1))
		sleep 0.3 2>/dev/null || sleep 1
	done
}
