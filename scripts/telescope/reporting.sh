# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# reporting.sh: whether the agent has what it needs to report. Without credentials it runs on and
# looks healthy.

# What the agent asks for what its configuration lacks. In a throw-away root a test says who
# answers; else nobody does.
metadata_service=169.254.169.254:80

# look_reporting sets reporting (yes, no, unknown) and reporting_why: of the agent that look
# has found.
look_reporting() {
	reporting=no reporting_why='' identity='AccessKey SecretKey InstanceId ProjectId'
	if [ "$state" != healthy ]; then
		reporting_why="the agent is not healthy"
		return
	fi
	if [ ! -r "$agent_dir/$main_config" ]; then
		reporting=unknown reporting_why="its configuration cannot be read"
		return
	fi
	find_top
	if ! safe_below "$top" "$agent_dir/$main_config"; then # it may be a pipe that never ends
		reporting=unknown reporting_why="its configuration was not read: users other than root can change $unsafe"
		return
	fi
	json_of "$identity" "$agent_dir/$main_config"
	lacking "$identity" "$json"
	if [ -z "$lacks" ]; then
		reporting=yes
	elif ! have bash; then
		reporting=unknown reporting_why="the metadata service cannot be queried without bash"
	else
		[ -z "$TRIPOD_ROOT" ] || metadata_service=$TRIPOD_METADATA
		ask_for "$lacks"
	fi
}

# ask_for LACKS asks the metadata service for what the configuration lacks. No answer to the
# first question is none to the second.
ask_for() {
	case $1 in
	*Id*)
		about=
		[ -z "$metadata_service" ] || about=$(metadata openstack/latest/meta_data.json)
		if [ -z "$about" ]; then
			reporting_why="its configuration lacks $1, and no metadata service answers"
			return
		fi
		lacking "uuid project_id" "$(printf '%s\n' "$about" | json_get "uuid project_id" 2>/dev/null)"
		case "$1 $lacks" in
		*InstanceId*uuid*) reporting_why="no instance id, neither in its configuration nor from the metadata service" ;;
		*ProjectId*project_id*) reporting_why="no project id, neither in its configuration nor from the metadata service" ;;
		esac
		;;
	esac
	case $1 in
	*Key*)
		lacking "access secret" "$(metadata openstack/latest/securitykey | json_get credential | json_get "access secret" 2>/dev/null)"
		[ -z "$lacks" ] ||
			reporting_why="no credentials: no access key and secret key in its configuration, and the metadata service has none of an agency"
		;;
	esac
	[ -n "$reporting_why" ] || reporting=yes
}

# lacking "NAME..." "JSON..." sets lacks: which of these members, whose JSON there is a line
# each, hold no text, by comma.
lacking() {
	lacks='' lacking_json=$2$newline
	for member in $1; do
		case ${lacking_json%%"$newline"*} in
		'"'?*'"') ;;
		*) lacks=$lacks${lacks:+, }$member ;;
		esac
		lacking_json=${lacking_json#*"$newline"}
	done
}

# metadata PATH prints what the metadata service answers, nothing if it does not, within
# three seconds. Bash asks, which the agent's installer needs anyway: it follows no
# redirection, and knows no proxy.
metadata() {
	[ -n "$metadata_service" ] || return 0
	# shellcheck disable=SC2016 # for that bash
	limited 3 bash -c '
		exec 3<>"/dev/tcp/${1%:*}/${1##*:}" || exit
		printf "GET /%s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "${1%:80}" >&3
		head -c 65536 <&3
	' bash "$metadata_service" "$1" 2>/dev/null | tr -d '\r' | awk '
		NR == 1 && $2 != 200 { exit }
		body
		/^$/ { body = 1 }
	'
}

# tell_reporting looks and prints the finding.
tell_reporting() {
	reporting=unknown
	[ "$state" != none ] || return 0
	look_reporting
	found reporting $reporting ${reporting_why:+why "$reporting_why"}
}
