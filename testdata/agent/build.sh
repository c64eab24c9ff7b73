#!/bin/sh
# build.sh OUT.tar.gz VERSION [--layout old|new] [--arch amd64|arm64] [--habit H] [--folder NAME]
# builds the stand-in for the telescope package: the real one's layout, processes,
# version behaviour and bad habits, in scripts, so for any architecture: a copy of
# the host's shell in the agent's folder runs them.
#
# Habits on demand (by default it behaves as well as the real one does):
#   no-start       the service does not start; all say success or nothing
#   slow-start     it starts four seconds later
#   one-process    the parent has no child
#   two-parents    it is started twice
#   crash-later    it runs for two seconds
#   crash-loop     the child dies each second and is started again
#   chatty         the daemon never stops writing to the stdout it was given
#   copy-fails     the programs are not copied; install.sh exits 0
#   disk-full      the disk is full; install.sh exits 0
#   no-init        no init system is known; install.sh exits 0
#   fails          install.sh exits 3 and has done nothing
#   hang           install.sh does not end
#   wrong-version  it tells version 0.0.1
set -eu

usage() {
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

[ $# -ge 2 ] || usage
out=$1 version=$2
shift 2
layout=old
arch=''
habit=none
folder=''
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || usage
	case $1 in
	--layout) layout=$2 ;;
	--arch) arch=$2 ;;
	--habit) habit=$2 ;;
	--folder) folder=$2 ;;
	*) usage ;;
	esac
	shift 2
done
case $version in
'' | *[!0-9A-Za-z_.-]*) usage ;;
esac
case $layout in
old | new) ;;
*) usage ;;
esac
case $habit in
none | no-start | slow-start | one-process | two-parents | crash-later | crash-loop | chatty) ;;
copy-fails | disk-full | no-init | fails | hang | wrong-version) ;;
*) usage ;;
esac
if [ -z "$arch" ]; then
	case $(uname -m) in
	aarch64 | arm64) arch=arm64 ;;
	*) arch=amd64 ;;
	esac
fi
place=telescope
service=telescoped
lacks=' ces-uniagent uniagent conf/custom_conf.json '
if [ "$layout" = new ]; then
	lacks=' bin/agent '
	place=uniagent/extension/install/telescope
	service=ces-uniagent
fi
[ -n "$folder" ] || folder=telescope_linux_$arch
# From 1.0.14.1 on it knows -v; before, that starts the agent, as any unknown flag does, and
# conf_assistant.json is not there.
version_flags='-v | -version'
case $version in
0.* | 1.0 | 1.0.? | 1.0.?.* | 1.0.1[0-3] | 1.0.1[0-3].* | 1.0.14)
	version_flags=-version
	lacks="$lacks bin/conf_assistant.json "
	;;
esac
shown=$version
[ "$habit" != wrong-version ] || shown=0.0.1

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$folder/bin" "$work/$folder/conf"
for file in install.sh uninstall.sh telescoped ces-uniagent uniagent worker \
	bin/telescope bin/agent bin/conf.json bin/conf_ces.json bin/conf_assistant.json conf/custom_conf.json; do
	case $lacks in
	*" $file "*) continue ;;
	esac
	sed -e "s/@HABIT@/$habit/" -e "s/@LAYOUT@/$layout/" -e "s/@SHOWN@/$shown/" \
		-e "s/@VERSION_FLAGS@/$version_flags/" -e "s|@PLACE@|$place|" -e "s/@SERVICE@/$service/" \
		"$here/package/$file" >"$work/$folder/$file"
done
rmdir "$work/$folder/conf" 2>/dev/null || :
printf '{"team_name": "telescope", "release_date": "2024-01-01 00:00:00", "release_version": "%s"}\n' \
	"$version" >"$work/$folder/telescope-$version-release.json"
chmod -R u=rwX,go=rX "$work/$folder"
chmod 755 "$work/$folder"/*.sh "$work/$folder/telescoped" "$work/$folder/bin/telescope"
[ ! -f "$work/$folder/bin/agent" ] || chmod 755 "$work/$folder/bin/agent"
# The same input gives the same archive, where tar can do that.
if tar --version 2>/dev/null | grep -q GNU; then
	tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1700000000 -cf "$work/tar" "$folder"
else
	tar -C "$work" -cf "$work/tar" "$folder"
fi
gzip -nc "$work/tar" >"$out"
