# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# reporting.sh: has the agent what it needs to report? Without credentials it runs on and
# looks healthy. Sourced after config.sh.

# What the agent asks for what its configuration lacks. In a throw-away root a test says who
# answers; else nobody does.
metadata_service=169.254.169.254:80

# look_reporting sets reporting (yes, no, unknown) and reporting_why: of the agent that look
# has found.
look_reporting() {
	reporting=no reporting_why=
	if [ "$state" != healthy ]; then
		reporting_why="it does not run as it should"
		return
	fi
	if [ ! -r "$agent_dir/$main_config" ]; then
		reporting=unknown reporting_why="its configuration cannot be read"
		return
	fi
	lacks=
	for member in AccessKey SecretKey InstanceId ProjectId; do
		[ -n "$(text_of "$member" <"$agent_dir/$main_config")" ] || lacks="$lacks${lacks:+,} $member"
	done
	if [ -z "$lacks" ]; then
		reporting=yes
	elif ! have bash; then
		reporting=unknown reporting_why="without bash the metadata service cannot be asked"
	else
		ask_for_lacking
	fi
}

# ask_for_lacking asks the metadata service for what the configuration lacks. No answer to
# the first question is none to the second.
ask_for_lacking() {
	case $lacks in
	*Id*)
		about=$(metadata openstack/latest/meta_data.json)
		if [ -z "$about" ]; then
			reporting_why="its configuration lacks$lacks, and no metadata service answers"
			return
		fi
		case $lacks in
		*InstanceId*) [ -n "$(printf '%s\n' "$about" | text_of uuid)" ] || reporting_why="no instance id, neither in its configuration nor from the metadata service" ;;
		*) [ -n "$(printf '%s\n' "$about" | text_of project_id)" ] || reporting_why="no project id, neither in its configuration nor from the metadata service" ;;
		esac
		[ -z "$reporting_why" ] || return
		;;
	esac
	case $lacks in
	*Key*)
		if ! metadata openstack/latest/securitykey | json_get credential | has_keys; then
			reporting_why="no credentials: no access key and secret key in its configuration, and the metadata service has none of an agency"
			return
		fi
		;;
	esac
	reporting=yes
}

# has_keys: the object on stdin has a pair of keys.
has_keys() {
	keys=$(cat)
	[ -n "$(printf '%s\n' "$keys" | text_of access)" ] && [ -n "$(printf '%s\n' "$keys" | text_of secret)" ]
}

# text_of NAME prints a text of the JSON object on stdin, as JSON without its quotes.
text_of() {
	json_get "$1" 2>/dev/null | sed -n 's/^"\(.*\)"$/\1/p'
}

# metadata PATH prints what the metadata service answers, nothing if it does not, within
# three seconds. Bash asks, which the agent's installer needs anyway: it follows no
# redirection, and knows no proxy.
metadata() {
	[ -z "$TRIPOD_ROOT" ] || metadata_service=$TRIPOD_METADATA
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
