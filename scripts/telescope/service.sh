# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# service.sh: starting and stopping the agent, with the init system that the host has.
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
	case $init in
	systemd)
		# Failed is also what has met the limit of restarts; active is what has
		# ended behind the back of a service that only starts it.
		unit_is "$service" -p LoadState -p ActiveState -p Result
		case $unit_says in
		*' LoadState=not-found '*) return 1 ;;
		*' ActiveState=inactive '*) ;;
		*) return 1 ;;
		esac
		case $unit_says in
		*' Result=success '* | *' Result= '*) return 0 ;;
		esac
		return 1
		;;
	openrc)
		init_script "$service"
		[ -n "$script" ] && ! any init_notes "$service"
		;;
	sysv)
		# A stop takes away the lock; what is started at boot should run.
		init_script "$service"
		[ -n "$script" ] && ! any init_notes "$service" && ! any boot_links "$service"
		;;
	*) return 1 ;;
	esac
}

# is_started: the init system has started the agent, is about to, or cannot tell.
is_started() {
	[ "$init" = systemd ] || return 0
	unit_is "$service" -p ActiveState
	case $unit_says in
	*'=inactive '* | *'=failed '*) return 1 ;;
	esac
}

# tell_crashed: what look calls stopped is unhealthy, unless it is meant.
tell_crashed() {
	[ "$state" != stopped ] || meant_stopped || state=unhealthy
}

# start_agent starts what is installed: by its service, or directly where there
# is no init system (then nobody starts it after a reboot).
start_agent() {
	if [ "$layout" != none ] && service_do start "$service"; then
		found started service
	elif [ -f "$agent_dir/$agent_control" ]; then
		found started direct
		start_how=
		! have setsid || start_how=setsid
		quietly 60 $start_how bash "$agent_dir/$agent_control" start
	fi
}

# stop_agent stops what look found, and what would start it again.
stop_agent() {
	if [ "$layout" = new ]; then
		service_do stop "$service"
		other_extensions || stop_from "$uni_real" || return 1
	fi
	real "$agent_dir"
	stop_from "$real_path" || return 1
	[ "$layout" = new ] || note_stopped "$service"
	return 0
}

# note_stopped NAME has the init system know that what we have killed is stopped. Else
# systemd takes it for active, and a later start would do nothing.
note_stopped() {
	case $init in
	systemd) quietly 60 systemctl stop "$1.service" ;;
	*) ! any init_notes "$1" || remove_listed ;;
	esac
}

# other_extensions: the uniagent has work besides telescope.
other_extensions() {
	for extension in "${new_dir%/*}"/*; do
		case $extension in
		"$new_dir") ;;
		*) [ ! -d "$extension" ] || return 0 ;;
		esac
	done
	return 1
}
