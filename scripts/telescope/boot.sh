# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# boot.sh: whether the agent starts at boot, and how that is mended. Sourced after
# init.sh.

# look_at_boot sets boot: enabled, disabled, masked or unknown, of the agent that look
# has found; and boot_why, why it is not enabled.
look_at_boot() {
	boot=unknown boot_why=
	boot_name=$(service_of "$layout")
	case $init in
	systemd) look_at_unit ;;
	openrc)
		boot=enabled
		[ -n "$(runlevel_links "$boot_name")" ] || boot=disabled boot_why="no run level has the service $boot_name"
		;;
	sysv)
		boot=enabled
		[ -n "$(boot_links "$boot_name")" ] || boot=disabled boot_why="no run level has the service $boot_name"
		;;
	*) [ -n "$TRIPOD_ROOT" ] || boot_why="no init system was found" ;;
	esac
}

look_at_unit() {
	boot_says=$(limited 20 systemctl is-enabled "$boot_name.service" 2>/dev/null)
	case $boot_says in
	enabled | static | alias | indirect | linked) boot=enabled ;;
	masked*) boot=masked boot_why="the service $boot_name is masked" ;;
	disabled | not-found | *-runtime) boot=disabled boot_why="the service $boot_name is not enabled" ;;
	*)
		# One that is made of an init script, or none.
		boot_says=" $(limited 20 systemctl show -p LoadState -p WantedBy "$boot_name.service" 2>/dev/null | tr '\n' ' ')"
		case $boot_says in
		*' LoadState=not-found '*) boot=disabled boot_why="systemd does not know the service $boot_name" ;;
		*' WantedBy= '*) boot=disabled boot_why="the service $boot_name is not enabled" ;;
		*' WantedBy='*) boot=enabled ;;
		*) boot_why="systemd does not say whether the service $boot_name is enabled" ;;
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

# settle_boot WANTED has the agent start at boot, or not, as it was before, and says
# how that is now.
settle_boot() {
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
	boot_name=$(service_of "$layout")
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
	if [ -z "$(init_script "$boot_name")" ] && [ -f "$agent_dir/telescoped" ] && make_init_folder; then
		cp "$agent_dir/telescoped" "$(init_folder)/$boot_name" && chmod 0755 "$(init_folder)/$boot_name"
		reload_services
	fi
}

enable_with_tools() {
	if [ "$init" = systemd ] && quietly 30 systemctl enable "$boot_name.service"; then
		return
	fi
	if init_tool chkconfig; then
		quietly 30 chkconfig --add "$boot_name" && quietly 30 chkconfig "$boot_name" on
	elif init_tool update-rc.d; then
		quietly 30 update-rc.d "$boot_name" defaults
		quietly 30 update-rc.d "$boot_name" enable
	elif init_tool rc-update; then
		quietly 30 rc-update add "$boot_name" default
	elif init_tool insserv; then
		quietly 30 insserv "$boot_name"
	fi
}

enable_by_hand() {
	boot_script=$(init_script "$boot_name")
	[ -n "$boot_script" ] || return 0
	boot_script=${boot_script#"$TRIPOD_ROOT"}
	case $init in
	systemd)
		boot_unit=$(own_unit "$boot_name")
		[ -d "${boot_unit%/*}" ] || return 0
		if [ ! -e "$boot_unit" ]; then
			unit_of "$boot_script" >"$boot_unit" && chmod 0644 "$boot_unit" || return 0
		fi
		# systemctl does not enable what has an init script too, without a tool for that.
		boot_link=${boot_unit%/*}/multi-user.target.wants/$boot_name.service
		make_folder "${boot_link%/*}" && ln -sf "${boot_unit#"$TRIPOD_ROOT"}" "$boot_link"
		reload_services
		;;
	openrc)
		boot_link=$TRIPOD_ROOT/etc/runlevels/default
		[ ! -d "$boot_link" ] || ln -s "$boot_script" "$boot_link/$boot_name"
		;;
	sysv)
		run_levels | while IFS= read -r level; do
			boot_link=S99
			case $level in
			*/rc[016].d) boot_link=K01 ;;
			esac
			rm -f "$level"/[SK][0-9][0-9]"$boot_name"
			ln -s "$boot_script" "$level/$boot_link$boot_name"
		done
		;;
	esac
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
	if [ "$init" = systemd ]; then quietly 30 systemctl disable "$boot_name.service"; fi
	if init_tool chkconfig; then quietly 30 chkconfig "$boot_name" off; fi
	if init_tool update-rc.d; then quietly 30 update-rc.d "$boot_name" disable; fi
	if init_tool rc-update; then quietly 30 rc-update del "$boot_name" default; fi
	boot_links "$boot_name" | while IFS= read -r boot_link; do
		mv "$boot_link" "${boot_link%/*}/K01$boot_name"
	done
	{ unit_links "$boot_name"; runlevel_links "$boot_name"; } | remove_listed
	reload_services
}

mask_service() {
	boot_name=$(service_of "$layout")
	[ "$init" = systemd ] || { disable_service; return; }
	quietly 30 systemctl mask "$boot_name.service" || disable_service
}

# reload_services makes the init system read the list of services again.
reload_services() {
	if [ "$init" = systemd ]; then quietly 30 systemctl daemon-reload; fi
}
