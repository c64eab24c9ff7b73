# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# init.sh: which init system the host has, what the agent's services are called, and
# where init systems have what they know of them. Nothing else knows names or paths.

old_service=telescoped new_service=ces-uniagent
services="$old_service $new_service"

# init_system sets init: systemd, openrc, sysv or none. In a throw-away root there
# is none, whatever the machine around it runs.
init_system() {
	init=none
	if [ -n "$TRIPOD_ROOT" ]; then
		:
	elif [ -d /run/systemd/system ] && have systemctl; then
		init=systemd
	elif have rc-service && have rc-update; then
		init=openrc
	elif [ -d /etc/init.d ] && have service; then
		init=sysv
	fi
}

# init_places sets where init scripts, units, and things to be started at boot are, or
# are to be.
init_places() {
	init_folder=$TRIPOD_ROOT/etc/init.d
	units=$TRIPOD_ROOT/etc/systemd/system
	run_level=$TRIPOD_ROOT/etc/runlevels/default
	local_starts=$TRIPOD_ROOT/etc/local.d
}

# init_tool PROGRAM: it is there, and what it would change is this root's.
init_tool() { [ -z "$TRIPOD_ROOT" ] && have "$1"; }

# quietly SECONDS COMMAND... runs what may fail and must not hang.
quietly() { limited "$@" >/dev/null 2>&1; }

# unit_is NAME -p PROPERTY... sets unit_says to what systemd says of the service: " PROPERTY=VALUE ..."
unit_is() {
	unit=$1.service
	shift
	with_lines unit_properties "$(limited 20 systemctl show "$@" "$unit" 2>/dev/null)"
}

unit_properties() { unit_says=" $* "; }

# existing FILE... adds those that are there, dangling links too, to listed, one a line.
existing() {
	for existing_file; do
		[ ! -e "$existing_file" ] && [ ! -h "$existing_file" ] || listed=$listed$existing_file$newline
	done
}

# next_listed takes the first line of listed to listed_file. It fails where there is none.
next_listed() {
	[ -n "$listed" ] || return 1
	listed_file=${listed%%"$newline"*}
	listed=${listed#*"$newline"}
}

# init_script NAME sets script: where the service's script is, nothing if there is none.
# Where there was no folder for it, the agent's installer has made a file of the folder's name.
init_script() {
	for script in "$init_folder/$1" "$TRIPOD_ROOT/etc/rc.d/init.d/$1"; do
		[ ! -f "$script" ] || return 0
	done
	script=$init_folder
	[ -f "$script" ] && bin_dir_in "$script" && [ -n "$bin_dir" ] || script=
}

# bin_dir_in SCRIPT sets bin_dir: the folder that an init script of the agent's starts it
# from, nothing if it is another one's.
bin_dir_in() {
	bin_dir=$(sed -n -e '/^BIN_DIR=/!d' -e 's///' -e "s/^[\"']\(.*\)[\"']\$/\1/" -e 's/\\\(.\)/\1/g' \
		-e 's|/*$||' -e p -e q "$1" 2>/dev/null)
}

# run_levels COMMAND does it for each level, a folder of links for a run level. (/etc/rc3.d
# may itself be a link to /etc/rc.d/rc3.d, so the first tree that is there is all.)
run_levels() {
	for level_top in "$TRIPOD_ROOT/etc" "$TRIPOD_ROOT/etc/rc.d" "$init_folder"; do
		[ -d "$level_top/rc3.d" ] || continue
		for level in "$level_top"/rc[0-6].d; do "$1"; done
		return
	done
}

# boot_links, unit_links, runlevel_links NAME add to listed what starts the service at boot:
# SysV's, systemd's and OpenRC's (which starts scripts that are not of its kind by
# files in local.d).
boot_links() {
	existing \
		"$TRIPOD_ROOT"/etc/rc[2-5].d/S[0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/rc.d/rc[2-5].d/S[0-9][0-9]"$1" \
		"$init_folder"/rc[2-5].d/S[0-9][0-9]"$1"
}

unit_links() { existing "$units"/*.wants/"$1.service"; }

runlevel_links() { existing "${run_level%/*}"/*/"$1" "$local_starts/$1.start"; }

# unit_files NAME adds the service's units to listed.
unit_files() {
	existing "$units/$1.service" "$TRIPOD_ROOT/usr/lib/systemd/system/$1.service" \
		"$TRIPOD_ROOT/lib/systemd/system/$1.service"
}

# init_files NAME adds the files and links by which init systems know a service.
init_files() {
	init_script "$1"
	[ -z "$script" ] || existing "$script"
	existing \
		"$TRIPOD_ROOT"/etc/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$TRIPOD_ROOT"/etc/rc.d/rc[0-9S].d/[SK][0-9][0-9]"$1" \
		"$init_folder"/rc[0-9S].d/[SK][0-9][0-9]"$1"
	unit_files "$1"
	unit_links "$1"
	runlevel_links "$1"
}

# init_notes NAME adds what init systems have noted of a service that they have
# started, which after a crash is still there.
init_notes() {
	# Around it all may write on many hosts, so it may be anybody's, or a link.
	if only_ours "$TRIPOD_ROOT/var/lock/subsys"; then existing "$TRIPOD_ROOT/var/lock/subsys/$1"; fi
	existing \
		"$TRIPOD_ROOT/run/$1.pid" "$TRIPOD_ROOT/var/run/$1.pid" \
		"$TRIPOD_ROOT"/run/openrc/[!o]*/"$1" "$TRIPOD_ROOT"/lib/rc/init.d/[!o]*/"$1"
}

# any LIST NAME: one of these functions lists something of the service.
any() {
	listed=
	"$@"
	[ -n "$listed" ]
}

# kept_init_files NAME adds those of a service's files that no tool of the init system
# makes. A link to /dev/null, which masks the service, is none.
kept_init_files() {
	for kept_file in "$units/$1.service" "$local_starts/$1.start"; do
		[ ! -f "$kept_file" ] || existing "$kept_file"
	done
}

# remove_listed removes the files and links in listed.
remove_listed() { with_lines remove_files "$listed"; }

remove_files() {
	clear "$@"
	for listed_file; do
		case $listed_file in
		*.wants/*) rmdir "${listed_file%/*}" 2>/dev/null ;; # as systemctl does, if it is empty now
		esac
	done
}

# make_init_folder makes the folder of init scripts where there is none, with a note
# that it is to go with the agent. It gets its name when the note is in it.
make_init_folder() {
	[ ! -e "$init_folder" ] && [ ! -h "$init_folder" ] || return 0
	clear "$init_folder.tripod"
	(umask 022 && mkdir -p "$init_folder.tripod" &&
		echo "made for the agent's init script, and removed with it" >"$init_folder.tripod/.tripod") &&
		mv "$init_folder.tripod" "$init_folder"
}

# drop_init_folder removes the folder that make_init_folder has made, when it is empty.
drop_init_folder() {
	clear "$init_folder.tripod"
	[ -f "$init_folder/.tripod" ] && [ ! -h "$init_folder" ] || return 0
	for drop_file in "$init_folder"/* "$init_folder"/.[!.]*; do
		case $drop_file in
		"$init_folder/.tripod") ;;
		*) [ ! -e "$drop_file" ] && [ ! -h "$drop_file" ] || return 0 ;;
		esac
	done
	rm -f "$init_folder/.tripod"
	rmdir "$init_folder"
}
