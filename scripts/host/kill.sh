# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them: main the arguments, run_state the rest
# kill.sh: stop the run, and make sure that it is stopped.

# do_kill: root, id, key, why (canceled, timeout), grace (seconds between TERM
# and KILL). A run that has not begun never will.
do_kill() {
	if [ -d "$run" ]; then
		run_state
		if [ "$state" = staged ]; then
			echo "0 0 $boot $key" >"$run/started.0" &&
				ln "$run/started.0" "$run/started" 2>/dev/null
			run_state
		fi
		if [ "$state" = alive ] || [ "$state" = died ]; then
			[ "$state" = died ] || echo "$why" >"$run/killed"
			[ "$rebooted" = yes ] || end_family || { say failed what=survives; return; }
			run_state
		fi
	else
		run_state
	fi
	say_state end
}
