#!/bin/sh
# probe.sh [SETTINGS] looks at the host and the agent on it, and changes nothing.
#
# Every finding is printed, whatever the exit code: 0 the host will do, 10 not
# root, 11 the host lacks something, 12 less than TRIPOD_NEED_KIB of room.

here=${0%"${0##*/}"}.
. "$here/all.sh"

# clean_up is all that a look leaves to be done: nothing outside of its own folder.
clean_up() { rm -rf "$work"; }

begin "$@"
root=no
if is_root; then root=yes; fi
missing_tools
bash=yes
have bash || bash=no
find_system
room_at "$prefix"
found os "$os" arch "$host_arch" kernel "$kernel" init "$init" root $root bash $bash
found free_kib "$free" at "$prefix" missing "$missing"
find_agent
find_version
report
tell_reporting
if [ "$state" != none ]; then
	look_at_boot
	report_boot
elif [ "$TRIPOD_ABSENT" = yes ]; then
	leftovers
	[ -z "$left" ] || found left "$left"
fi
! read_kept "$TRIPOD_KEEP" || found kept "$kept" at "$TRIPOD_KEEP"

need_root
[ "$os" = Linux ] || die "$E_HOST" "the agent is for Linux, and this is $os"
case $host_arch in
amd64 | arm64) ;;
*) die "$E_HOST" "there is no agent for the architecture $host_arch" ;;
esac
[ -z "$missing" ] || die "$E_HOST" "the host lacks: $missing"
need_room "$TRIPOD_NEED_KIB" "$prefix" "the agent"
if [ "$state" = healthy ] && [ -z "$elsewhere" ] && is_configuring; then
	make_work
	# What cannot be compared, configure.sh will say.
	if (is_configured) 2>/dev/null; then found configured same; fi
fi
