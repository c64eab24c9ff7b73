# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# boot.sh: whether the agent starts at boot, and how that is mended.

# look_at_boot sets boot: enabled, disabled, masked or unknown, of the agent that look
# has found; and boot_why, why it is not enabled.
look_at_boot() {
	boot=unknown boot_why=
	case $init in
	systemd) look_at_unit ;;
	openrc) look_at_links runlevel_links ;;
	sysv) look_at_links boot_links ;;
	*) [ -n "$TRIPOD_ROOT" ] || boot_why="no init system was found" ;;
	esac
}

look_at_links() {
	boot=enabled
	any "$1" "$service" || boot=disabled boot_why="no run level has the service $service"
}

look_at_unit() {
	boot_says=$(limited 20 systemctl is-enabled "$service.service" 2>/dev/null)
	case $boot_says in
	enabled | static | alias | indirect | linked) boot=enabled ;;
	masked*) boot=masked boot_why="the service $service is masked" ;;
	disabled | not-found | *-runtime) boot=disabled boot_why="the service $service is not enabled" ;;
	*)
		# One that is made of an init script, or none.
		unit_is "$service" -p LoadState -p WantedBy
		case $unit_says in
		*' LoadState=not-found '*) boot=disabled boot_why="systemd does not know the service $service" ;;
		*' WantedBy= '*) boot=disabled boot_why="the service $service is not enabled" ;;
		*' WantedBy='*) boot=enabled ;;
		*) boot_why="systemd does not say whether the service $service is enabled" ;;
		esac
		;;
	esac
}

# report_boot prints the finding. Masked is disabled.
report_boot() {
	boot_found=$boot
	[ "$boot" != masked ] || boot_found=disabled
	found boot "$boot_found" ${boot_why:+why "$boot_why"}
}

# restore_boot WANTED has the agent start at boot, or not, as it was before, and says
# how that is now.
restore_boot() {
	case $1 in
	disabled) disable_service ;;
	masked) mask_service ;;
	*)
		enable_service
		look_at_boot
		report_boot
		return
		;;
	esac
	look_at_boot
	case $boot in
	disabled | masked) boot_why="it was $1 before" ;;
	esac
	report_boot
}

# enable_service has the service of the agent that look has found start at boot: with
# the host's own tools, or, where they are missing or do not do it, by hand.
enable_service() {
	[ -z "$TRIPOD_ROOT" ] || [ "$init" != none ] || return 0
	reload_services
	copy_init_script
	look_at_boot
	[ "$boot" != enabled ] || return 0
	for enable_how in enable_with_tools enable_by_hand; do
		$enable_how
		look_at_boot
		[ "$boot" != enabled ] || return 0
	done
}

# copy_init_script: where the agent's installer knows no tool to register a service, it
# leaves none.
copy_init_script() {
	[ "$init" != none ] && [ "$layout" = old ] || return 0
	init_script "$service"
	if [ -z "$script" ] && [ -f "$agent_dir/$agent_control" ] && make_init_folder; then
		cp "$agent_dir/$agent_control" "$init_folder/$service" && chmod 0755 "$init_folder/$service"
		reload_services
	fi
}

enable_with_tools() {
	if [ "$init" = systemd ] && quietly 30 systemctl enable "$service.service"; then
		return
	fi
	if init_tool chkconfig; then
		quietly 30 chkconfig --add "$service" && quietly 30 chkconfig "$service" on
	elif init_tool update-rc.d; then
		quietly 30 update-rc.d "$service" defaults
		quietly 30 update-rc.d "$service" enable
	elif init_tool rc-update; then
		quietly 30 rc-update add "$service" default
	elif init_tool insserv; then
		quietly 30 insserv "$service"
	fi
}

enable_by_hand() {
	init_script "$service"
	[ -n "$script" ] || return 0
	script=${script#"$TRIPOD_ROOT"}
	case $init in
	systemd)
		[ -d "$units" ] || return 0
		if [ ! -e "$units/$service.service" ]; then
			unit_of "$script" >"$units/$service.service" && chmod 0644 "$units/$service.service" || return 0
		fi
		# systemctl does not enable what has an init script too, without a tool for that.
		boot_wants=$units/multi-user.target.wants
		make_folder "$boot_wants" && ln -sf "${units#"$TRIPOD_ROOT"}/$service.service" "$boot_wants/$service.service"
		reload_services
		;;
	openrc) [ ! -d "$run_level" ] || ln -s "$script" "$run_level/$service" ;;
	sysv) run_levels link_in_level ;;
	esac
}

link_in_level() {
	boot_link=S99
	case $level in
	*/rc[016].d) boot_link=K01 ;;
	esac
	rm -f "$level"/[SK][0-9][0-9]"$service"
	ln -s "$script" "$level/$boot_link$service"
}

# unit_of SCRIPT prints a unit that does what systemd makes of an init script, where it
# reads those.
unit_of() {
	cat <<-END
		[Unit]
		Description=${1##*/}, the Cloud Eye agent
		After=network.target

		[Service]
		Type=forking
		RemainAfterExit=yes
		GuessMainPID=no
		KillMode=process
		TimeoutSec=5min
		ExecStart=$1 start
		ExecStop=$1 stop

		[Install]
		WantedBy=multi-user.target
	END
}

# disable_service: the service that look has found stays, and does not start at boot.
disable_service() {
	look_at_boot
	[ "$boot" = enabled ] || return 0
	if [ "$init" = systemd ]; then quietly 30 systemctl disable "$service.service"; fi
	if init_tool chkconfig; then quietly 30 chkconfig "$service" off; fi
	if init_tool update-rc.d; then quietly 30 update-rc.d "$service" disable; fi
	if init_tool rc-update; then quietly 30 rc-update del "$service" default; fi
	any boot_links "$service"
	while next_listed; do mv "$listed_file" "${listed_file%/*}/K01$service"; done
	unit_links "$service"
	runlevel_links "$service"
	remove_listed
	reload_services
}

mask_service() {
	[ "$init" = systemd ] || { disable_service; return; }
	quietly 30 systemctl mask "$service.service" || disable_service
}

# reload_services makes the init system read the list of services again.
reload_services() {
	if [ "$init" = systemd ]; then quietly 30 systemctl daemon-reload; fi
}
