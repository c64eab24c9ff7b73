# shellcheck shell=sh disable=SC2034 # names shared with the files that are sourced
# all.sh: all parts of the scripts, from the folder $here. Sourced, never run.

# What is there.
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/init.sh"
. "$here/agent.sh"
. "$here/elsewhere.sh"
. "$here/json.sh"
. "$here/config.sh"
. "$here/reporting.sh"

# What is done.
. "$here/boot.sh"
. "$here/service.sh"
. "$here/remove.sh"
. "$here/package.sh"
. "$here/keep.sh"
. "$here/reconfigure.sh"
. "$here/replace.sh"
. "$here/online.sh"

# begin [SETTINGS] reads the settings, and finds what they leave open.
begin() {
	load_settings "$@"
	# A file that tells verify.sh that the agent was stopped before the change, and so is again.
	stopped_note=${settings%/*}/was-stopped
	# The folders of agents in other places, one a line.
	elsewhere=
	init_system
	init_places
	find_users
	use_prefix
	keep_places
}

# missing_tools sets missing: what the agent's own installer, or ours, cannot do without.
missing_tools() {
	missing=
	for tool in bash tar gzip awk sed grep; do
		have "$tool" || missing="$missing${missing:+ }$tool"
	done
}
