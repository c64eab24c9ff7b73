# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them: main the arguments, run_state the rest
# enter.sh: the first contact as a user who is not root.
#
# sudo reads a password from standard input, and after a wrong one it takes the
# next line for another try. So the scripts must not come that way: they are
# written to a folder of this user's own, and standard input has the password
# alone. Files are brought to the same folder; root checks its own copies.

# do_enter: what do_probe takes; dir (of an earlier connection: removed); text is
# what root is to run. That it answered
# is what shows that sudo let it; "refused" is read only where it did not.
do_enter() {
	uid=$(id -u)
	say "enter uid=$uid"
	do_leave
	spot || return
	if [ "$uid" = 0 ]; then # root by another name
		sh "$dir/host.sh" probe "$@" </dev/null
		rm -rf "$dir"
		return
	fi
	say "spot dir=$dir"
	if ! have sudo; then
		say refused why=none
		return
	fi
	# No question is asked, so none can hang.
	{ refusal=$(LC_ALL=C sudo -n sh "$dir/host.sh" probe "$@" "dir=$dir" 2>&1 >&7 </dev/null); } 7>&1
	encode "$refusal"
	say "refused why=$encoded"
}

# spot makes $dir, which only this user can enter.
spot() {
	for base in "${TMPDIR-}" "$TRIPOD_ROOT/tmp" "$TRIPOD_ROOT/var/tmp" "${HOME-}" /dev/shm; do
		case $base in
		'' | *[!A-Za-z0-9._/-]*) continue ;;
		esac
		dir=$base/tripod.${nonce:?}
		mkdir "$dir" 2>/dev/null || continue
		if put "$dir/host.sh" "${text:?}" 2>/dev/null; then
			forget_old
			return 0
		fi
		rm -rf "$dir"
	done
	say nospot
	return 1
}

# forget_old removes what connections that broke have left here, a day ago.
forget_old() {
	for old in "$base"/tripod.*; do
		if [ "$old" != "$dir" ] && [ -d "$old" ] && [ -O "$old" ]; then
			find "$old" -prune -mtime +0 -exec rm -rf {} +
		fi
	done
}
