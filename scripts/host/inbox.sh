# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them
# inbox.sh: a folder for large files of a login that is not root.

# do_inbox: id. The folder of the login is in one of root's, so nobody can put a link
# in its place; and nobody can know the name before, and take it.
do_inbox() {
	inboxes
	for dir in $inboxes; do
		dir=$dir.$tag
		if mkdir "$dir" 2>/dev/null; then
			if ! chmod 711 "$dir" || ! mkdir "$dir/in" || ! give "$dir/in"; then
				rmdir "$dir/in" "$dir" 2>/dev/null
				continue
			fi
		elif ! ours "$dir" drwx--x--x; then # else of an earlier request
			continue
		fi
		say inbox "dir=$dir/in"
		return
	done
	say failed what=inbox
}

# give FOLDER makes it the login's; tests may not.
give() {
	case $login_uid in
	'' | *[!0-9]*) return 1 ;;
	esac
	chown "$login_uid" "$1" 2>/dev/null || [ -n "$TRIPOD_ROOT" ]
}
