# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# online.sh: the agent from the network: the official installer is downloaded
# and run, as its documentation says.

# check_online ends the script if the settings do not allow the download.
check_online() {
	case $TRIPOD_ONLINE_URL in
	*[!A-Za-z0-9._~:/@%+,=[\]-]*) die "$E_USAGE" "TRIPOD_ONLINE_URL holds characters that no plain URL has" ;;
	https://?*) ;;
	http://localhost[:/]* | http://127.[0-9]* | "http://[::1]"*) ;;
	http://?*)
		[ "$TRIPOD_ONLINE_INSECURE" = yes ] ||
			die "$E_USAGE" "TRIPOD_ONLINE_URL must be https, unless TRIPOD_ONLINE_INSECURE is yes"
		;;
	*) die "$E_USAGE" "TRIPOD_ONLINE_URL must be an https URL" ;;
	esac
	case $TRIPOD_ONLINE_SCRIPT in
	agent_install.sh)
		case $TRIPOD_REGION in
		'' | -* | *[!A-Za-z0-9_-]*) die "$E_USAGE" "TRIPOD_REGION may hold letters, digits, '_' and '-', and is needed with TRIPOD_ONLINE_URL" ;;
		esac
		online_value TRIPOD_ONLINE_UNIAGENT "$TRIPOD_ONLINE_UNIAGENT"
		online_value TRIPOD_ONLINE_DOMAIN "$TRIPOD_ONLINE_DOMAIN"
		online_value TRIPOD_ONLINE_OBS "$TRIPOD_ONLINE_OBS"
		;;
	agentInstall.sh)
		[ -z "$TRIPOD_ONLINE_UNIAGENT$TRIPOD_ONLINE_DOMAIN$TRIPOD_ONLINE_OBS" ] ||
			die "$E_USAGE" "agentInstall.sh takes no options: TRIPOD_ONLINE_UNIAGENT, TRIPOD_ONLINE_DOMAIN and TRIPOD_ONLINE_OBS must be empty"
		;;
	*) die "$E_USAGE" "TRIPOD_ONLINE_SCRIPT must be agent_install.sh or agentInstall.sh" ;;
	esac
	[ "$TRIPOD_PREFIX" = /usr/local ] ||
		die "$E_USAGE" "the official installer chooses its own place: TRIPOD_PREFIX must be /usr/local"
}

# online_value NAME VALUE refuses what the official installer could take for an option,
# or a shell for something else.
online_value() {
	case $2 in
	-* | *[!A-Za-z0-9._:-]*) die "$E_USAGE" "$1 may hold letters, digits, '.', '_', ':' and '-'" ;;
	esac
}

# gnu_wget: busybox has a wget that checks no certificate.
gnu_wget() { wget --version 2>/dev/null | grep -q 'GNU Wget'; }

# fetch URL FILE downloads. Redirections are not followed: one could leave https.
fetch() {
	fetch_options=
	if have curl; then
		[ "$TRIPOD_ONLINE_INSECURE" != yes ] || fetch_options=-k
		# shellcheck disable=SC2086 # none, or one option
		limited 120 curl -sSf --retry 2 $fetch_options --connect-timeout 20 -o "$2" "$1" 2>"$work/fetch.log"
		return
	fi
	if have wget && gnu_wget; then
		fetch_options='--max-redirect=0 --tries=2'
		[ "$TRIPOD_ONLINE_INSECURE" != yes ] || fetch_options="$fetch_options --no-check-certificate"
	else
		case $(command -v wget):$TRIPOD_ONLINE_URL:$TRIPOD_ONLINE_INSECURE in
		?*:http:* | ?*:yes) ;;
		*) die "$E_HOST" "the host lacks curl and GNU wget: nothing can be downloaded" ;;
		esac
	fi
	# shellcheck disable=SC2086 # several options
	limited 120 wget $fetch_options -T 20 -O "$2" "$1" >"$work/fetch.log" 2>&1
}

# fetch_says prints the line that tells what went wrong.
fetch_says() { grep '^curl: (' "$work/fetch.log" || grep . "$work/fetch.log" | tail -n 1; }

# fetch_installer downloads the official installer to $work.
fetch_installer() {
	fetch_from=${TRIPOD_ONLINE_URL%/}/$TRIPOD_ONLINE_SCRIPT
	fetch_to=$work/$TRIPOD_ONLINE_SCRIPT
	if ! fetch "$fetch_from" "$fetch_to"; then
		die "$E_DOWNLOAD" "cannot download $fetch_from: $(fetch_says)"
	fi
	# A proxy or a portal may answer with a page.
	case $(head -c 2 "$fetch_to") in
	'#!') ;;
	*) die "$E_DOWNLOAD" "what is at $fetch_from is not a script" ;;
	esac
	if [ -n "$TRIPOD_ROOT" ] && ! grep -q TRIPOD_ROOT "$fetch_to"; then
		die "$E_HOST" "this installer does not know TRIPOD_ROOT: it would install outside it"
	fi
}

# install_online installs what the official installer brings.
install_online() {
	check_online
	fetch_installer
	package_dir=$work/before
	mkdir "$package_dir" "$package_dir/bin" || die "$E_SPACE" "cannot make a folder in $work"
	look_before
	replacing
	set -- bash "./$TRIPOD_ONLINE_SCRIPT"
	if [ "$TRIPOD_ONLINE_SCRIPT" = agent_install.sh ]; then
		[ -z "$TRIPOD_VERSION" ] || set -- "$@" -t "$TRIPOD_VERSION"
		set -- "$@" -r "$TRIPOD_REGION"
		[ -z "$TRIPOD_ONLINE_UNIAGENT" ] || set -- "$@" -u "$TRIPOD_ONLINE_UNIAGENT"
		[ -z "$TRIPOD_ONLINE_DOMAIN" ] || set -- "$@" -d "$TRIPOD_ONLINE_DOMAIN"
		[ -z "$TRIPOD_ONLINE_OBS" ] || set -- "$@" -o "$TRIPOD_ONLINE_OBS"
	fi
	run_installer "$work" "$@"
	look
	if [ "$layout" = none ]; then
		report
		die "$E_INSTALLER" "$TRIPOD_ONLINE_SCRIPT $ended and left no agent"
	fi
	installed_dir=$agent_dir new_layout=$layout
	configure_new
	set_modes
	enable_service # before it is started
	kick
	judge
	restore_state "$present" "$present_boot"
	replaced "$version"
}

# configure_new gives the new agent the configuration of the one before and the user's
# plugins, and puts the settings over it.
configure_new() {
	mkdir "$work/new" || die "$E_SPACE" "cannot make a folder in $work"
	keep_configuration "$agent_dir" "$work/new"
	keep_configuration "$package_dir" "$work/new"
	keep_plugins "$work" "$agent_dir"
	configure "$work/new"
	if same_configuration "$work/new" && [ ! -d "$agent_dir/$plugins" ]; then return 0; fi
	put_configuration "$work/new" || die "$E_SPACE" "the configuration cannot be written to $agent_dir"
	restart_agent
}
