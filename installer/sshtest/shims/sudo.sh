# sudo of an sshtest.Server. It says and reads what the real one does, and runs
# the command as whoever runs the server. With rust it is sudo-rs. The first lines, which set mode, hash,
# requiretty, lecture, rust and only, are put before this text.
# shellcheck disable=SC2154 shell=sh
me=${SSHTEST_USER:-root}

say() { printf '%s\n' "$*" >&2; }

usage() {
	say "usage: sudo [-EHkKnSisvl] [-p prompt] [-u user] [VAR=value] [command [arg ...]]"
	exit 1
}

nonint='' stdin='' validate='' list='' login='' forget='' target=root
prompt="[sudo] password for $me: "
while [ $# -gt 0 ]; do
	case $1 in
	--) shift; break ;;
	--non-interactive) nonint=1 ;;
	--stdin) stdin=1 ;;
	--reset-timestamp) forget=1 ;;
	--validate) validate=1 ;;
	--prompt=*) prompt=${1#*=} ;;
	--user=*) target=${1#*=} ;;
	--prompt) [ $# -ge 2 ] || usage; prompt=$2; shift ;;
	--user) [ $# -ge 2 ] || usage; target=$2; shift ;;
	--*) usage ;;
	-?*)
		flags=${1#-}
		while [ -n "$flags" ]; do
			rest=${flags#?} flag=${flags%"${flags#?}"}
			flags=$rest
			case $flag in
			n) nonint=1 ;;
			S) stdin=1 ;;
			k | K) forget=1 ;;
			v) validate=1 ;;
			l) list=1 ;;
			i | s) login=1 ;;
			E | H | b | B | P) ;;
			p | u)
				if [ -n "$flags" ]; then
					value=$flags flags=''
				else
					[ $# -ge 2 ] || usage
					shift
					value=$1
				fi
				if [ "$flag" = p ]; then prompt=$value; else target=$value; fi
				;;
			*) usage ;;
			esac
		done
		;;
	*) break ;;
	esac
	shift
done
if [ $# -eq 0 ] && [ -z "$validate$list$login" ]; then
	[ -n "$forget" ] && exit 0
	usage
fi

case $target in
root | '#0') target=root uid=0 ;;
"$me") uid=${SSHTEST_UID:-0} ;;
*)
	say "sudo: unknown user: $target"
	say "sudo: error initializing audit plugin sudoers_audit"
	exit 1
	;;
esac

# Only a terminal that we control counts, as for the real one.
tty=''
if (: </dev/tty) 2>/dev/null; then tty=1; fi

if [ "$requiretty" = true ] && [ -z "$tty" ]; then
	say "sudo: sorry, you must have a tty to run sudo"
	exit 1
fi

sum() {
	if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1
}

prompt=$(printf '%s.' "$prompt" | sed -e "s/%[pu]/$me/g" -e 's/%U/root/g' -e 's/%h/localhost/g' -e 's/%%/%/g')
prompt=${prompt%.}

# ask puts the answer into $answer; false at the end of the input.
ask() {
	if [ -n "$stdin" ]; then
		if [ "$rust" = true ]; then
			printf '[sudo: %s] Password: ' "$prompt" >&2
			IFS= read -r answer # the end of the input is an empty password to it
			say ""
			return 0
		fi
		printf '%s' "$prompt" >&2
		IFS= read -r answer || [ -n "$answer" ]
	else
		printf '%s' "$prompt" >/dev/tty
		old=$(stty -g </dev/tty)
		stty -echo </dev/tty
		got=0
		IFS= read -r answer </dev/tty || got=1
		stty "$old" </dev/tty
		printf '\n' >/dev/tty
		[ "$got" = 0 ]
	fi
}

authenticate() {
	if [ -n "$nonint" ] && [ "$rust" = true ]; then
		say "sudo: interactive authentication is required"
		exit 1
	fi
	if [ -n "$nonint" ]; then
		say "sudo: a password is required"
		exit 1
	fi
	if [ -z "$stdin$tty" ]; then
		say "sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper"
		say "sudo: a password is required"
		exit 1
	fi
	if [ "$lecture" = true ]; then
		printf '\nWe trust you have received the usual lecture from the local System\nAdministrator. It usually boils down to these three things:\n\n    #1) Respect the privacy of others.\n    #2) Think before you type.\n    #3) With great power comes great responsibility.\n\n' >&2
	fi
	wrong=0
	while [ "$wrong" -lt 3 ]; do
		answer=''
		if ! ask; then
			if [ "$wrong" = 0 ]; then
				say ""
				say "sudo: no password was provided"
				say "sudo: a password is required"
			else
				say ""
				say "sudo: no password was provided"
				say "sudo: $wrong incorrect password attempt$([ "$wrong" = 1 ] || echo s)"
			fi
			exit 1
		fi
		[ "$(printf '%s' "$answer" | sum)" = "$hash" ] && return
		wrong=$((wrong + 1))
		echo wrong >>"$TRIPOD_ROOT/wrong-passwords"
		[ "$wrong" -lt 3 ] && if [ "$rust" = true ]; then say "sudo: Authentication failed, try again."; else say "Sorry, try again."; fi
	done
	if [ "$rust" = true ]; then
		say "sudo: Maximum 3 incorrect authentication attempts"
		exit 1
	fi
	say "sudo: 3 incorrect password attempts"
	exit 1
}

# denies says that $1 is not allowed.
denies() {
	if [ "$rust" = true ]; then
		say "sudo: I'm sorry $me. I'm afraid I can't do that"
	else
		say "Sorry, user $me is not allowed to execute '$1' as root on localhost."
	fi
	exit 1
}

# Neither tells without a password that the user is in sudoers; -v does that he is not.
if [ "${SSHTEST_UID:-0}" != 0 ] && [ -z "$mode" ]; then
	if [ -n "$validate$list" ] && { [ -n "$validate" ] || [ "$rust" = true ]; }; then
		say "Sorry, user $me may not run sudo on localhost."
		exit 1
	fi
	[ "$rust" != true ] || denies "$*"
fi
allowed=yes
if [ -n "$only" ] && [ -z "$validate$list" ] && [ "$*" != "$only" ]; then
	allowed=no
	[ "$rust" != true ] || denies "$*"
	[ -z "$nonint" ] || mode=password # the tag is only for what it stands at
fi

# root asks nobody; the others as sudoers says.
if [ "${SSHTEST_UID:-0}" != 0 ] && [ "$mode" != nopassword ]; then
	authenticate
	if [ "$mode" != password ]; then
		say "$me is not in the sudoers file."
		exit 1
	fi
fi
[ "$allowed" = yes ] || denies "$*"
if [ -n "$validate$list" ]; then
	tag=''
	[ "$mode" != nopassword ] || tag='NOPASSWD: '
	[ -n "$list" ] && [ $# -eq 0 ] && printf 'User %s may run the following commands on localhost:\n    (ALL : ALL) %s\n' "$me" "$tag${only:-ALL}"
	exit 0
fi

if [ "${1-}" = /bin/su ]; then # not that of this machine
	shift
	set -- su "$@"
fi

# A shell with a command is that command, so quoted that nothing changes.
if [ -n "$login" ] && [ $# -eq 0 ]; then set -- /bin/sh; fi

# env_reset, except for what makes the throw-away root one.
set -- "PATH=$PATH" "TRIPOD_ROOT=$TRIPOD_ROOT" "TMPDIR=$TMPDIR" "TERM=${TERM:-unknown}" "LANG=${LANG:-C}" \
	"SSHTEST_MARK=$SSHTEST_MARK" "SSHTEST_UID=$uid" "SSHTEST_USER=$target" \
	"HOME=$([ "$target" = root ] && echo "$TRIPOD_ROOT/root" || echo "$HOME")" \
	"USER=$target" "LOGNAME=$target" "SHELL=/bin/sh" \
	"SUDO_USER=$me" "SUDO_UID=${SSHTEST_UID:-0}" "SUDO_GID=${SSHTEST_UID:-0}" "SUDO_COMMAND=$*" "$@"
exec env -i "$@"
