# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# service.sh: starting, stopping and removing the agent, with the init system
# that the host has. Sourced after agent.sh.
#
# The agent's own uninstall.sh and `telescoped stop` are not used: they kill
# every process on the host whose command line ends in "telescope", need pgrep
# and ps, and say nothing when it did not work.

# init_system prints systemd, openrc, sysv or none. In a throw-away root there
# is none, whatever the machine around it runs.
init_system() {
	if [ -n "$TRIPOD_ROOT" ]; then
		echo none
	elif [ -d /run/systemd/system ] && have systemctl; then
		echo systemd
	elif have rc-service && have rc-update; then
		echo openrc
	elif [ -d /etc/init.d ] && have service; then
		echo sysv
	else
		echo none
	fi
}

# quietly SECONDS COMMAND... runs what may fail and must not hang.
quietly() { limited "$@" >/dev/null 2>&1; }

# service_do ACTION NAME asks the init system.
service_do() {
	case $(init_system) in
	systemd) quietly 60 systemctl "$1" "$2.service" ;;
	openrc) quietly 60 rc-service "$2" "$1" ;;
	sysv) quietly 60 service "$2" "$1" ;;
	*) return 1 ;;
	esac
}

# meant_stopped: the agent, which does not run, is not meant to: so says the init
# system. Where that says nothing, or that it should run, it has crashed.
meant_stopped() {
	meant_name=telescoped
	if [ "$layout" = new ]; then meant_name=ces-uniagent; fi
	case $(init_system) in
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
	openrc)
		quietly 20 rc-service "$meant_name" status
		[ $? = 3 ] # 32: crashed
		;;
	sysv)
		# A stop takes away the lock; what is started at boot should run.
		for meant_file in "$TRIPOD_ROOT/var/lock/subsys/$meant_name" \
			"$TRIPOD_ROOT/run/$meant_name.pid" "$TRIPOD_ROOT/var/run/$meant_name.pid" \
			"$TRIPOD_ROOT"/etc/rc[2-5].d/S[0-9][0-9]"$meant_name" \
			"$TRIPOD_ROOT"/etc/rc.d/rc[2-5].d/S[0-9][0-9]"$meant_name"; do
			if [ -e "$meant_file" ] || [ -h "$meant_file" ]; then return 1; fi
		done
		[ -n "$(init_files "$meant_name")" ]
		;;
	*) return 1 ;;
	esac
}

# tell_crashed: what look calls stopped is unhealthy, unless it is meant.
tell_crashed() {
	[ "$state" != stopped ] || meant_stopped || state=unhealthy
}

# start_agent starts what is installed: by its service, or directly where there
# is no init system (then nobody starts it after a reboot).
start_agent() {
	if [ "$layout" = new ] && service_do start ces-uniagent; then
		found started service
	elif [ "$layout" = old ] && service_do start telescoped; then
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
		service_do stop ces-uniagent
		other_extensions || stop_from "$uni_real" || return 1
	fi
	stop_from "$(real "$agent_dir")" || return 1
	# Else systemd takes it for active, and a start would do nothing.
	if [ "$layout" = old ] && [ "$(init_system)" = systemd ]; then
		quietly 60 systemctl stop telescoped.service
	fi
}

# init_files NAME prints the files and links by which init systems know a service.
init_files() {
	for init_file in \
		"$TRIPOD_ROOT/etc/init.d/$1" "$TRIPOD_ROOT/etc/rc.d/init.d/$1" \
		"$TRIPOD_ROOT"/etc/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/rc.d/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/init.d/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$TRIPOD_ROOT/etc/runlevels/default/$1" "$TRIPOD_ROOT/etc/local.d/$1.start" \
		"$TRIPOD_ROOT/etc/systemd/system/$1.service" \
		"$TRIPOD_ROOT/usr/lib/systemd/system/$1.service" \
		"$TRIPOD_ROOT/lib/systemd/system/$1.service" \
		"$TRIPOD_ROOT/etc/systemd/system/multi-user.target.wants/$1.service"; do
		if [ -e "$init_file" ] || [ -h "$init_file" ]; then
			printf '%s\n' "$init_file"
		fi
	done
}

# forget_service NAME takes a service out of the init system.
forget_service() {
	[ -n "$(init_files "$1")" ] || return 0
	if [ -z "$TRIPOD_ROOT" ]; then
		if [ "$(init_system)" = systemd ]; then
			# Started by hand and killed by us, it still counts as active,
			# and a later start would do nothing.
			quietly 60 systemctl stop "$1.service"
			quietly 30 systemctl disable "$1.service"
		fi
		if have chkconfig; then quietly 30 chkconfig --del "$1"; fi
		if have rc-update; then quietly 30 rc-update del "$1" default; fi
	fi
	init_files "$1" | while IFS= read -r init_file; do rm -f "$init_file"; done
	if [ -z "$TRIPOD_ROOT" ]; then
		if have update-rc.d; then quietly 30 update-rc.d -f "$1" remove; fi
		if [ "$(init_system)" = systemd ]; then
			quietly 30 systemctl daemon-reload
			quietly 30 systemctl reset-failed "$1.service"
		fi
	fi
	[ -z "$(init_files "$1")" ]
}

# starts_at_boot NAME: the init system starts the service at boot, or cannot tell.
starts_at_boot() {
	case $(init_system) in
	systemd)
		case $(limited 20 systemctl is-enabled "$1.service" 2>/dev/null) in
		disabled | masked) return 1 ;;
		esac
		;;
	openrc)
		for boot_file in "$TRIPOD_ROOT"/etc/runlevels/*/"$1" "$TRIPOD_ROOT/etc/local.d/$1.start"; do
			if [ -e "$boot_file" ] || [ -h "$boot_file" ]; then return 0; fi
		done
		return 1
		;;
	sysv)
		init_files "$1" | grep -q '/rc[2-5]\.d/S[0-9]'
		;;
	esac
}

# reload_services makes the init system read anew what services there are.
reload_services() {
	[ -z "$TRIPOD_ROOT" ] || return 0
	if [ "$(init_system)" = systemd ]; then quietly 30 systemctl daemon-reload; fi
}

# know_service NAME puts a service whose script is in init.d into the init system.
know_service() {
	[ -z "$TRIPOD_ROOT" ] || return 0
	reload_services
	if [ -e "/etc/systemd/system/$1.service" ]; then
		quietly 30 systemctl enable "$1.service"
	elif have chkconfig; then
		quietly 30 chkconfig --add "$1" && quietly 30 chkconfig "$1" on
	elif have update-rc.d; then
		quietly 30 update-rc.d "$1" defaults
	elif have rc-update; then
		quietly 30 rc-update add "$1" default
	fi
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

# remove_tree DIR... deletes and makes sure.
remove_tree() {
	rm -rf "$@" 2>/dev/null
	for tree in "$@"; do
		if [ -e "$tree" ] || [ -h "$tree" ]; then
			say "cannot remove $tree"
			return 1
		fi
	done
}

# remove_agent stops and removes the agent in both layouts, wholly. It returns
# 1, and has said why, if something is left.
remove_agent() {
	[ -z "$TRIPOD_KEEP" ] || rm -f "$TRIPOD_KEEP.next/well"
	if [ -d "$uni_dir" ] || [ -n "$(init_files ces-uniagent)" ] || [ -n "$(processes "$uni_real")" ]; then
		# First the one that would start telescope again.
		service_do stop ces-uniagent
		if other_extensions; then
			stop_from "$new_real" || { say "telescope does not stop"; return 1; }
			# A uniagent that the init system does not know runs on, and may start
			# it in between. Without its files it cannot any more.
			rm -rf "$new_dir" 2>/dev/null
			stop_from "$new_real" || { say "telescope does not stop"; return 1; }
			remove_tree "$new_dir" || return 1
			service_do start ces-uniagent
		else
			stop_from "$uni_real" || { say "the uniagent does not stop"; return 1; }
			forget_service ces-uniagent || { say "the service ces-uniagent stays"; return 1; }
			remove_tree "$uni_dir" || return 1
		fi
	fi
	stop_from "$old_real" || { say "telescope does not stop"; return 1; }
	forget_service telescoped || { say "the service telescoped stays"; return 1; }
	remove_tree "$old_dir"
}

# leftovers prints what a removal should not have left.
leftovers() {
	init_files telescoped
	if [ -e "$old_dir" ]; then printf '%s\n' "$old_dir"; fi
	if [ -e "$new_dir" ]; then printf '%s\n' "$new_dir"; fi
	processes "$old_real" "$new_real"
}
