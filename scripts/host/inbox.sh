# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them
# inbox.sh: a folder for large files of a login that is not root.

# do_inbox: id. In a sticky folder nobody but root can replace what root makes.
do_inbox() {
	inboxes
	for dir in $inboxes; do
		if mkdir "$dir" 2>/dev/null; then
			chown "$login_uid" "$dir" 2>/dev/null || [ -n "$TRIPOD_ROOT" ] || { rmdir "$dir"; continue; }
		else # of an earlier attempt?
			# shellcheck disable=SC2012,SC2046 # numbers, and our own name
			set -- $(ls -ldn "$dir" 2>/dev/null)
			case "${1-} ${3-}" in
			"drwx------"*" $login_uid") ;;
			*) if [ -z "$TRIPOD_ROOT" ] || [ ! -O "$dir" ]; then continue; fi ;;
			esac
		fi
		say inbox "dir=$dir"
		return
	done
	say failed what=inbox
}
