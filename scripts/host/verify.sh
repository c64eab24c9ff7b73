# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them: main the arguments, run_state the rest
# verify.sh: is the agent there, and well? Asked by the target's own verify.sh.

# do_verify: root, id.
do_verify() {
	{
		# The installation has watched it long enough; a look will do.
		printf '%s\n' "${settings:?}" 'TRIPOD_STABLE=1' >"$run/settings.verify"
		cd "$run" && sh ./agent/verify.sh ./settings.verify 2>&1 3>&-
		echo "code=$?"
	} | while IFS= read -r line; do
		case $line in
		'tripod: '*) say "agent ${line#tripod: }" ;;
		code=*) say "end ${line}" ;;
		*) show "$line" ;;
		esac
	done
}
