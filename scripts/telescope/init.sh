# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# init.sh: which init system the host has, what the agent's services are called, and
# where init systems have what they know of them. Nothing else knows names or paths.
# Sourced after lib.sh.

services='telescoped ces-uniagent'

# service_of LAYOUT prints the name of the service that starts the agent.
service_of() {
	case $1 in
	new) echo ces-uniagent ;;
	*) echo telescoped ;;
	esac
}

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

# init_tool PROGRAM: it is there, and what it would change is this root's.
init_tool() { [ -z "$TRIPOD_ROOT" ] && have "$1"; }

# quietly SECONDS COMMAND... runs what may fail and must not hang.
quietly() { limited "$@" >/dev/null 2>&1; }

# existing FILE... prints those that are there, dangling links too.
existing() {
	for existing_file; do
		if [ -e "$existing_file" ] || [ -h "$existing_file" ]; then printf '%s\n' "$existing_file"; fi
	done
}

# init_folder prints where init scripts are, or are to be.
init_folder() { printf '%s\n' "$TRIPOD_ROOT/etc/init.d"; }

# init_script NAME prints where the service's script is. Where there was no folder for
# it, the agent's installer has made a file of the folder's name.
init_script() {
	for script_file in "$TRIPOD_ROOT/etc/init.d/$1" "$TRIPOD_ROOT/etc/rc.d/init.d/$1" "$TRIPOD_ROOT/etc/init.d"; do
		if [ -f "$script_file" ] && { [ "${script_file##*/}" = "$1" ] || [ -n "$(bin_dir_in "$script_file")" ]; }; then
			printf '%s\n' "$script_file"
			return
		fi
	done
}

# bin_dir_in SCRIPT prints the folder that an init script of the agent's starts it from.
bin_dir_in() {
	sed -n -e '/^BIN_DIR=/!d' -e 's///' -e "s/^[\"']\(.*\)[\"']\$/\1/" -e 's/\\\(.\)/\1/g' \
		-e 's|/*$||' -e p -e q "$1" 2>/dev/null
}

# own_unit NAME prints where a unit is that the admin, or an installer, has written.
own_unit() { printf '%s\n' "$TRIPOD_ROOT/etc/systemd/system/$1.service"; }

# run_levels prints the folders of links for the run levels. (/etc/rc3.d may itself be
# a link to /etc/rc.d/rc3.d, so the first tree that is there is all.)
run_levels() {
	for level_top in "$TRIPOD_ROOT/etc" "$TRIPOD_ROOT/etc/rc.d" "$TRIPOD_ROOT/etc/init.d"; do
		[ -d "$level_top/rc3.d" ] || continue
		for level in "$level_top"/rc[0-6].d; do printf '%s\n' "$level"; done
		return
	done
}

# boot_links, unit_links, runlevel_links NAME print what starts the service at boot:
# SysV's, systemd's and OpenRC's (which starts scripts that are not of its kind by
# files in local.d).
boot_links() {
	existing \
		"$TRIPOD_ROOT"/etc/rc[2-5].d/S[0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/rc.d/rc[2-5].d/S[0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/init.d/rc[2-5].d/S[0-9][0-9]"$1"
}

unit_links() { existing "$TRIPOD_ROOT"/etc/systemd/system/*.wants/"$1.service"; }

runlevel_links() { existing "$TRIPOD_ROOT"/etc/runlevels/*/"$1" "$TRIPOD_ROOT/etc/local.d/$1.start"; }

# unit_files NAME prints the service's units.
unit_files() {
	existing "$TRIPOD_ROOT/etc/systemd/system/$1.service" "$TRIPOD_ROOT/usr/lib/systemd/system/$1.service" \
		"$TRIPOD_ROOT/lib/systemd/system/$1.service"
}

# init_files NAME prints the files and links by which init systems know a service.
init_files() {
	init_script "$1"
	existing \
		"$TRIPOD_ROOT"/etc/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/rc.d/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/init.d/rc[0-9S].d/[SK][0-9][0-9]"$1"
	unit_files "$1"
	unit_links "$1"
	runlevel_links "$1"
}

# remove_listed removes the files and links whose names it reads.
remove_listed() {
	while IFS= read -r listed_file; do
		rm -f "$listed_file"
		case $listed_file in
		*.wants/*) rmdir "${listed_file%/*}" 2>/dev/null ;; # as systemctl does, if it is empty now
		esac
	done
}

# init_notes NAME prints what init systems have noted of a service that they have
# started, which after a crash is still there.
init_notes() {
	existing \
		"$TRIPOD_ROOT/var/lock/subsys/$1" "$TRIPOD_ROOT/run/$1.pid" "$TRIPOD_ROOT/var/run/$1.pid" \
		"$TRIPOD_ROOT"/run/openrc/[!o]*/"$1" "$TRIPOD_ROOT"/lib/rc/init.d/[!o]*/"$1"
}

# kept_init_files NAME prints those of a service's files, below the root, that no tool
# of the init system makes.
kept_init_files() {
	for kept_file in "$(own_unit "$1")" "$TRIPOD_ROOT/etc/local.d/$1.start"; do
		# A link to /dev/null masks the service.
		if [ -f "$kept_file" ]; then printf '%s\n' "${kept_file#"$TRIPOD_ROOT"/}"; fi
	done
}

# make_init_folder makes the folder of init scripts where there is none, with a note
# that it is to go with the agent. It gets its name when the note is in it.
make_init_folder() {
	set -- "$(init_folder)"
	[ ! -e "$1" ] && [ ! -h "$1" ] || return 0
	rm -rf "$1.tripod"
	(umask 022 && mkdir -p "$1.tripod" && echo "made for the agent's init script, and removed with it" >"$1.tripod/.tripod") &&
		mv "$1.tripod" "$1"
}

# drop_init_folder removes the folder that make_init_folder has made, when it is empty.
drop_init_folder() {
	set -- "$(init_folder)"
	rm -rf "$1.tripod"
	[ -f "$1/.tripod" ] && [ ! -h "$1" ] || return 0
	for drop_file in "$1"/* "$1"/.[!.]*; do
		case $drop_file in
		"$1/.tripod") ;;
		*) [ ! -e "$drop_file" ] && [ ! -h "$drop_file" ] || return 0 ;;
		esac
	done
	rm -f "$1/.tripod"
	rmdir "$1"
}
