# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# config.sh: the agent's configuration: its files, what of them stays over an update, and
# the settings over that. No other file knows their names.

# Where the agent's identity is, and its keys.
main_config=bin/conf.json

# All files that hold a region, an endpoint or keys, in the order in which they are written:
# by the region in the last one it is known which endpoints are still to be changed.
config_files="bin/conf_ces.json bin/conf_assistant.json bin/conf_lts.json conf/custom_conf.json $main_config"

# The user's own programs and what they are run for.
plugins=plugins

# What has more bytes is no configuration, and would keep awk busy.
most_config=65536

# check_config DIR FILE ends the script where FILE in DIR is none that we may read: a folder
# that belongs to another user can have a link to any file in its place, or a gigantic one.
check_config() {
	[ ! -h "$1/$2" ] || only_ours "$1" "$1/${2%/*}" ||
		die "$E_HOST" "the file $1/$2 is a link, and users other than root can change it: correct or remove it"
	[ "$(wc -c <"$1/$2")" -le $most_config ] ||
		die "$E_HOST" "the file $1/$2 has more than $most_config bytes: correct or remove it"
}

# keep_configuration FROM TO copies the configuration of the agent in FROM over that in TO,
# so that an update does not make the agent forget who it is.
keep_configuration() {
	for config in $config_files; do
		[ -s "$1/$config" ] && [ -f "$1/$config" ] || continue
		check_config "$1" "$config"
		make_private "$2/${config%/*}" && cp "$1/$config" "$2/$config" || die "$E_SPACE" "cannot copy $1/$config"
	done
	# Files that it did not have yet follow those that it had.
	for config in bin/conf_assistant.json conf/custom_conf.json; do
		[ -s "$2/$config" ] && [ ! -s "$1/$config" ] || continue
		{ same_as RegionId $main_config "$2" && same_as Endpoint bin/conf_ces.json "$2"; } >"$work/members"
		set_members "$2/$config"
	done
}

# same_as NAME FILE DIR prints "NAME<tab>JSON", as it is in FILE of DIR, if $config has it too.
same_as() {
	json_of "$1" "$3/$config"
	[ -n "$json" ] || return 0
	json_of "$1" "$3/$2"
	[ -z "$json" ] || printf '%s\t%s\n' "$1" "$json"
}

# keep_plugins FROM TO copies the user's plugins. (An agent's installer copies none.)
keep_plugins() {
	[ -d "$1/$plugins" ] || return 0
	make_folder "$2"
	cp -Rp "$1/$plugins" "$2/" || die "$E_SPACE" "cannot copy $1/$plugins"
}

# is_configuring: the settings say something of the configuration.
is_configuring() {
	[ -n "$TRIPOD_INSTANCE_ID$TRIPOD_PROJECT_ID$TRIPOD_ACCESS_KEY$TRIPOD_SECRET_KEY$TRIPOD_REGION" ] ||
		[ -n "$TRIPOD_CLIENT_PORT$TRIPOD_PORT_NUM$TRIPOD_BMS$TRIPOD_ENDPOINT" ]
}

# configure DIR puts the settings into the configuration in DIR, and ends the script where
# a file that is to be changed holds no JSON object.
configure() {
	is_configuring || return 0
	json_of RegionId "$1/$main_config"
	config_region=$json
	for config in $config_files; do
		case $config in
		"$main_config" | bin/conf_ces.json) ;;
		*) [ -s "$1/$config" ] || continue ;;
		esac
		wanted_in "$1" "$config" >"$work/members"
		set_members "$1/$config"
	done
}

# wanted_in DIR FILE prints what the settings want in a file, one "NAME<tab>JSON" a line.
wanted_in() {
	case $2 in
	"$main_config")
		wanted InstanceId "$TRIPOD_INSTANCE_ID"
		wanted ProjectId "$TRIPOD_PROJECT_ID"
		wanted AccessKey "$TRIPOD_ACCESS_KEY"
		wanted SecretKey "$TRIPOD_SECRET_KEY"
		wanted RegionId "$TRIPOD_REGION"
		wanted_bare ClientPort "$TRIPOD_CLIENT_PORT"
		wanted_bare PortNum "$TRIPOD_PORT_NUM"
		wanted_bare BmsFlag "$TRIPOD_BMS"
		;;
	conf/custom_conf.json) # whatever it has of these
		json_of RegionId "$1/$2"
		[ -z "$json" ] || wanted RegionId "$TRIPOD_REGION"
		json_of Endpoint "$1/$2"
		[ -z "$json" ] || wanted_endpoint "$1/$2" "$TRIPOD_ENDPOINT"
		;;
	bin/conf_lts.json) wanted_endpoint "$1/$2" '' ;; # of another service
	*) wanted_endpoint "$1/$2" "$TRIPOD_ENDPOINT" ;;
	esac
}

wanted() { [ -z "$2" ] || printf '%s\t%s\n' "$1" "$(json_quote "$2")"; }

# wanted_bare is for numbers, true and false.
wanted_bare() { [ -z "$2" ] || printf '%s\t%s\n' "$1" "$(printf '%s\n' "$2" | sed 's/^0*\([0-9]\)/\1/')"; }

# wanted_endpoint FILE ENDPOINT: without one, the file's own in the wanted region, where
# the present region is a part of its name.
wanted_endpoint() {
	if [ -n "$2" ]; then
		wanted Endpoint "$2"
	elif [ -s "$1" ]; then
		case $TRIPOD_REGION in
		'' | *[!A-Za-z0-9_-]*) return 0 ;;
		esac
		endpoint_from=${config_region#\"}
		endpoint_from=.${endpoint_from%\"}.
		json_of Endpoint "$1"
		case $json in
		*[!.]"$endpoint_from"[!.]*)
			printf 'Endpoint\t%s\n' "${json%%"$endpoint_from"*}.$TRIPOD_REGION.${json#*"$endpoint_from"}"
			;;
		esac
	fi
}

# set_members FILE sets the members in $work/members, one "NAME<tab>JSON" a line: a private
# file, for an argument could be read by others. Who looks meanwhile finds the old FILE or
# the new one.
set_members() {
	[ -s "$work/members" ] || return 0
	[ -s "$1" ] || { mkdir -p "${1%/*}" && printf '{\n}\n' >"$1"; }
	json_set "$work/members" "$1" >"$work/new.json"
	case $? in
	0) cp "$work/new.json" "$1.new" && mv "$1.new" "$1" || die "$E_SPACE" "cannot write $1" ;;
	3) die "$E_HOST" "the file ${1##*/} is not a JSON object, and was left as it is: correct or remove it" ;;
	*) die "$E_SPACE" "cannot write in $work" ;;
	esac
	rm -f "$work/members" "$work/new.json"
}

# protect_configuration DIR: no one else may read what holds keys.
protect_configuration() { find "$1" -path "*/$plugins" -prune -o -name '*conf*.json' -type f -exec chmod 0600 {} +; }

# is_protected DIR: protect_configuration would change nothing.
is_protected() { [ -z "$(find "$1" -path "*/$plugins" -prune -o -name '*conf*.json' -type f ! -perm 0600 -print)" ]; }

# open_files DIR: what was installed under our umask, so that no key was readable even for a
# moment, is now as the vendor has it, but for what holds keys, and that nobody but root
# may change a program that root runs.
open_files() {
	find "$1" -path "*/$plugins" -prune -o ! -type l ! -name '*conf*.json' -exec chmod go+rX,go-w {} +
	protect_configuration "$1"
}
