#!/bin/bash
# Stand-in for the agent's own installer, with its habits: whatever goes wrong,
# it says so at most, and exits 0.
habit=@HABIT@
root=${TRIPOD_ROOT:-}

echo "asking the metadata service (the stand-in only pretends)"
sleep 0.1

if [ "$(id -u)" != 0 ]; then
	echo "Current user is not root, please use root user install."
	exit 0
fi

if [[ -n ${1:-} && ! -d $1 ]]; then
	echo "$1 is not a directory! Install telescope failed."
	exit 255
fi
prefix=${1:-$root/usr/local}
install_dir=$prefix/@PLACE@
service=@SERVICE@

# It looks for its processes in its own place only, so that throw-away roots on
# one machine do not see each other.
running() {
	local dir count=0
	for dir in /proc/[0-9]*; do
		if read -r comm 2>/dev/null <"$dir/comm" && [[ $comm == telescope && $dir/cwd -ef $install_dir/bin ]]; then
			count=$((count + 1))
		fi
	done
	[[ $count -ge 2 ]]
}
if running; then
	echo "telescope is running, so can't be installed"
	exit 1
fi

case $habit in
hang) sleep 600 ;;
fails)
	echo "something is not right"
	exit 3
	;;
esac

echo "Start to install telescope..."
mkdir -p "$install_dir/log"
case $habit in
copy-fails)
	mkdir -p "$install_dir/bin"
	cp bin/conf*.json "$install_dir/bin"
	echo "cp: cannot create regular file '$install_dir/bin/telescope': Permission denied"
	;;
disk-full)
	mkdir -p "$install_dir/bin"
	cp bin/telescope /dev/full
	;;
*)
	cp -R bin "$install_dir"
	[[ ! -d conf ]] || cp -R conf "$install_dir"
	;;
esac

# The real programs are compiled. In place of one, a shell in the agent's folder
# runs the script.
program() {
	mkdir -p "$1/.program" && cat "/proc/$$/exe" >"$1/.program/$2" && chmod 755 "$1/.program/$2"
}
program "$install_dir/bin" telescope
cp worker "$install_dir/bin/.program/worker"

# %q: the place may hold anything.
place() {
	local line
	while IFS= read -r line; do
		case $line in
		BIN_DIR=*) printf 'BIN_DIR=%q\n' "$install_dir" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$1"
}
place telescoped >"$install_dir/telescoped"
cp uninstall.sh "$install_dir"
chmod 755 "$install_dir/telescoped" "$install_dir/uninstall.sh"
manager=${service#ces-}
if [[ $manager != telescoped ]]; then
	mkdir -p "$prefix/$manager/bin"
	place "$manager" >"$prefix/$manager/bin/$manager"
	chmod 755 "$prefix/$manager/bin/$manager"
	program "$prefix/$manager/bin" "$manager"
fi

if [[ $habit == no-init ]]; then
	echo "Unsupported register command, autostarts unsupported linux"
	sh telescoped start
	exit 0
fi
# cp makes a file where the folder that it is to copy into is missing.
copy_script() {
	local script=$root/etc/init.d
	[[ ! -d $script ]] || script=$script/$service
	place "$service" >"$script"
	chmod 755 "$script"
}
has() { command -v "$1" >/dev/null 2>&1; }

# By the name of the system it takes for granted what registers services there. It
# notices nothing that goes wrong.
if [[ -n $root ]]; then
	copy_script
else
	case $(cat /etc/system-release /etc/issue 2>/dev/null | tr '[:lower:]' '[:upper:]') in
	*CENTOS* | *SUSE* | *EULER* | *FEDORA* | *"ORACLE LINUX"*) how=chkconfig ;;
	*DEBIAN* | *UBUNTU*) how=update-rc.d ;;
	*)
		for how in chkconfig update-rc.d rc-update systemctl none; do
			! has $how || break
		done
		;;
	esac
	case $how in
	none)
		echo "Unsupported register command, autostarts unsupported linux"
		bash telescoped start
		exit 0
		;;
	esac
	copy_script
	case $how in
	chkconfig)
		chkconfig --add "$service"
		chkconfig "$service" on
		;;
	update-rc.d) update-rc.d "$service" defaults ;;
	rc-update)
		rc-update add "$service" default
		if [[ -d /etc/local.d ]]; then
			echo "/etc/init.d/$service start" >"/etc/local.d/$service.start"
			chmod 755 "/etc/local.d/$service.start"
		fi
		;;
	systemctl)
		cat >"/etc/systemd/system/$service.service" <<-END
			[Unit]
			Description=$service service
			After=network.target

			[Service]
			Type=simple
			ExecStart=/etc/init.d/$service start
			RemainAfterExit=yes
			ExecStop=/etc/init.d/$service stop
			KillMode=none

			[Install]
			WantedBy=multi-user.target
		END
		chmod 644 "/etc/systemd/system/$service.service"
		systemctl enable "$service"
		;;
	esac
fi
echo "Success to install telescope to dir: $install_dir."

if [[ -n $root ]]; then
	bash "$root/etc/init.d/$service" start
	exit 0
fi
! has systemctl || systemctl unmask "$service.service"
if has service; then
	service "$service" start
elif has rc-service; then
	rc-service "$service" start
elif has systemctl; then
	systemctl start "$service"
else
	bash "/etc/init.d/$service" start
fi
exit 0
