#!/bin/sh
# runner.sh RUN KEY: starts RUN/script once, and keeps its exit code.
#
# It is started detached: leader of a session of its own, no terminal, nobody's
# pipe open, so that it outlives the connection and Tripod itself. Descriptor 9
# holds the lock of the target; the script does not inherit it, so the kernel
# frees the lock when this process ends, however it ends.
#
# TRIPOD_SCRIPT is what is evaluated before it, of a script of the user's own: its folder,
# variables and arguments.
run=$1 key=$2 start=${TRIPOD_SCRIPT-}
unset TRIPOD_SCRIPT
umask 077

# Who we are: a number, and when it was given out, in which boot.
read -r line </proc/self/stat
# shellcheck disable=SC2086 # to be split into words
set -- ${line##*) }
born=${20}
boot=unknown
{ read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null

# Of all who try, one makes this link; it alone starts the script.
echo "$$ $born $boot $key" >"$run/started.$$" || exit 1
ln "$run/started.$$" "$run/started" 2>/dev/null || exit 0

# Room for the exit code, now: the script may fill the disk.
echo '     ' >"$run/exit"

# Caught, not ignored: a script that signals its whole group must not take the
# keeper of its exit code with it, and gets the default for itself.
trap : HUP INT QUIT TERM

(
	umask 022
	set --
	cd "$run" && eval "$start" && exec ./script "$@"
) </dev/null >>"$run/output" 2>&1 9>&- &
child=$!
while :; do
	wait "$child"
	code=$?
	kill -0 "$child" 2>/dev/null || break # else a signal to us ended the wait
done

echo "$code" 1<>"$run/exit"

# Wake who follows, if it is still the same process.
if { read -r follower follower_born <"$run/follower"; } 2>/dev/null &&
	{ while read -r next; do line=$next; done <"/proc/$follower/stat"; } 2>/dev/null; then
	# shellcheck disable=SC2086 # to be split into words
	set -- ${line##*) }
	[ "${20}" != "$follower_born" ] || kill -USR1 "$follower" 2>/dev/null
fi
