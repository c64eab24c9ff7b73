# doas of an sshtest.Server, as OpenDoas is: it reads a password from a terminal only, and once. The first
# lines, which set mode and hash, are put before this text.
# shellcheck disable=SC2154 shell=sh
me=${SSHTEST_USER:-root}

fail() { printf 'doas: %s\n' "$*" >&2; exit 1; }

nonint=''
while [ $# -gt 0 ]; do
	case $1 in
	-n) nonint=1 ;;
	--) shift; break ;;
	-*) printf 'usage: doas [-Lns] [-C config] [-u user] command [args]\n' >&2; exit 1 ;;
	*) break ;;
	esac
	shift
done
[ "$mode" != denied ] || fail Operation not permitted
if [ "$mode" != nopassword ]; then
	[ -z "$nonint" ] || fail Authentication required
	(: </dev/tty) 2>/dev/null || fail a tty is required
	old=$(stty -g </dev/tty)
	stty -echo </dev/tty
	printf '\rdoas (%s@localhost) password: ' "$me" >/dev/tty
	IFS= read -r answer </dev/tty
	stty "$old" </dev/tty
	printf '\r\n' >/dev/tty
	[ "$(printf '%s' "$answer" | sha256sum | cut -d' ' -f1)" = "$hash" ] || fail Authentication failed
fi
exec env -i "PATH=$PATH" "TRIPOD_ROOT=$TRIPOD_ROOT" "TMPDIR=$TMPDIR" "SSHTEST_MARK=$SSHTEST_MARK" \
	SSHTEST_UID=0 SSHTEST_USER=root "HOME=$TRIPOD_ROOT/root" USER=root LOGNAME=root "DOAS_USER=$me" "$@"
