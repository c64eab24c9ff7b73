# su of an sshtest.Server, as that of util-linux is: it knows -, -s, -c, a user and the arguments of the shell. The
# first lines, which set hash, root, tmp and mark, are put before this text.
# shellcheck disable=SC2154 shell=sh
shell=/bin/sh command='' args=''
while [ $# -gt 0 ]; do
	case $1 in
	- | -l) ;;
	-s) shell=$2; shift ;;
	-c) command=$2 args=yes; shift ;;
	*) break ;;
	esac
	shift
done
if [ $# -gt 0 ]; then
	[ "$1" = root ] || { printf 'su: user %s does not exist\n' "$1" >&2; exit 1; }
	shift
fi
if [ "${SSHTEST_UID:-1000}" != 0 ]; then
	old=''
	if [ -t 0 ]; then
		old=$(stty -g)
		stty -echo
	fi
	printf 'Password: ' >&2
	IFS= read -r answer
	[ -z "$old" ] || stty "$old"
	printf '\r\n' >&2
	if [ -z "$hash" ] || [ "$(printf '%s' "$answer" | sha256sum | cut -d' ' -f1)" != "$hash" ]; then
		printf 'su: Authentication failure\n' >&2
		exit 1
	fi
fi
[ -z "$args" ] || set -- -c "$command" "$@"
exec env -i "PATH=$PATH" "TRIPOD_ROOT=$root" "TMPDIR=$tmp" "SSHTEST_MARK=$mark" \
	SSHTEST_UID=0 SSHTEST_USER=root "HOME=$root/root" USER=root LOGNAME=root "$shell" "$@"
