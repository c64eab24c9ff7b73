# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# service.sh: starting and stopping the agent, with the init system that the host
# has. Sourced after agent.sh and boot.sh.
#
# The agent's own `telescoped stop` is not used: it kills every process on the host
# whose command line ends in "telescope", needs pgrep and ps, and says nothing when
# it did not work.

# service_do ACTION NAME asks the init system.
service_do() {
	case $init in
	systemd) quietly 60 systemctl "$1" "$2.service" ;;
	openrc)
		# For a script that is not of OpenRC's own kind only Debian's `service` notes
		# what it has done.
		if have service; then quietly 60 service "$2" "$1"; else quietly 60 rc-service "$2" "$1"; fi
		;;
	sysv) quietly 60 service "$2" "$1" ;;
	*) return 1 ;;
	esac
}

# meant_stopped: the agent, which does not run, is not meant to: so says the init
# system. Where that says nothing, or that it should run, it has crashed. The status
# that the agent's own script tells says nothing.
meant_stopped() {
	meant_name=$(service_of "$layout")
	case $init in
	systemd)
		# Failed is also what has met the limit of restarts; active is what has
		# ended behind the back of a service that only starts it.
		meant_says=$(limited 20 systemctl show -p LoadState -p ActiveState -p Result "$meant_name.service" 2>/dev/null | tr '\n' ' ')
		case " $meant_says" in
		*' LoadState=not-found '*) return 1 ;;
		*' ActiveState=inactive '*) ;;
		*) return 1 ;;
		esac
		case " $meant_says" in
		*' Result=success '* | *' Result= '*) return 0 ;;
		esac
		return 1
		;;
	openrc) [ -n "$(init_script "$meant_name")" ] && [ -z "$(init_notes "$meant_name")" ] ;;
	sysv)
		# A stop takes away the lock; what is started at boot should run.
		[ -n "$(init_script "$meant_name")" ] && [ -z "$(init_notes "$meant_name")$(boot_links "$meant_name")" ]
		;;
	*) return 1 ;;
	esac
}

# tell_crashed: what look calls stopped is unhealthy, unless it is meant.
tell_crashed() {
	[ "$state" != stopped ] || meant_stopped || state=unhealthy
}

# find_stopped_note sets stopped_note: a file beside the settings that tells verify.sh
# that the agent was stopped before the change, and so is again.
find_stopped_note() { stopped_note=${settings%/*}/was-stopped; }

# start_agent starts what is installed: by its service, or directly where there
# is no init system (then nobody starts it after a reboot).
start_agent() {
	if [ "$layout" != none ] && service_do start "$(service_of "$layout")"; then
		found started service
	elif [ -f "$agent_dir/telescoped" ] && have setsid; then
		found started direct
		quietly 60 setsid bash "$agent_dir/telescoped" start
	elif [ -f "$agent_dir/telescoped" ]; then
		found started direct
		quietly 60 bash "$agent_dir/telescoped" start
	fi
}

# stop_agent stops what look found, and what would start it again.
stop_agent() {
	if [ "$layout" = new ]; then
		service_do stop "$(service_of new)"
		other_extensions || stop_from "$uni_real" || return 1
	fi
	real "$agent_dir"
	stop_from "$real_path" || return 1
	[ "$layout" = new ] || note_stopped "$(service_of old)"
	return 0
}

# note_stopped NAME has the init system know that what we have killed is stopped. Else
# systemd takes it for active, and a later start would do nothing.
note_stopped() {
	case $init in
	systemd) quietly 60 systemctl stop "$1.service" ;;
	*) init_notes "$1" | remove_listed ;;
	esac
}

# other_extensions: the uniagent has work besides telescope.
other_extensions() {
	for extension in "$uni_dir"/extension/install/*; do
		case $extension in
		"$new_dir") ;;
		*) [ ! -d "$extension" ] || return 0 ;;
		esac
	done
	return 1
}
