#!/bin/sh
# probe.sh [SETTINGS] looks at the host and the agent on it, and changes nothing.
#
# Every finding is printed, whatever the exit code: 0 the host will do, 10 not
# root, 11 the host lacks something, 12 less than TRIPOD_NEED_KIB of room.

here=$(dirname "$0")
. "$here/lib.sh"
. "$here/processes.sh"
. "$here/init.sh"
. "$here/agent.sh"
. "$here/elsewhere.sh"
. "$here/boot.sh"
. "$here/service.sh"
. "$here/remove.sh"
. "$here/json.sh"
. "$here/config.sh"
. "$here/reporting.sh"
. "$here/package.sh"
. "$here/keep.sh"
. "$here/reconfigure.sh"

# clean_up is all that a look leaves to be done: nothing outside of its own folder.
clean_up() { rm -rf "$work"; }

load_settings "$@"
agent_places
root=no
if is_root; then root=yes; fi

# missing_tools prints what the agent's own installer, or ours, cannot do without.
missing_tools() {
	for tool in bash tar gzip awk sed grep; do
		have "$tool" || printf '%s ' "$tool"
	done
}

missing=$(missing_tools)
bash=yes
have bash || bash=no
room=$(free_kib "$prefix")
os=$(uname -s) arch=$(host_arch)
found os "$os" arch "$arch" kernel "$(uname -r)" init "$init" root $root bash $bash
found free_kib "$room" at "$prefix" missing "${missing% }"
find_agent
find_version
report
tell_reporting
if [ "$state" != none ]; then
	look_at_boot
	report_boot
elif [ "$TRIPOD_ABSENT" = yes ]; then
	left=$(leftovers)
	[ -z "$left" ] || found left "$left"
fi
if [ -n "$(kept_version "$TRIPOD_KEEP")" ]; then
	found kept "$(kept_version "$TRIPOD_KEEP")" at "$TRIPOD_KEEP"
fi

need_root
[ "$os" = Linux ] || die "$E_HOST" "the agent is for Linux, and this is $os"
case $arch in
amd64 | arm64) ;;
*) die "$E_HOST" "there is no agent for the architecture $arch" ;;
esac
[ -z "$missing" ] || die "$E_HOST" "the host lacks: $missing"
need_room "$TRIPOD_NEED_KIB" "$prefix" "the agent"
if [ "$state" = healthy ] && [ -z "$elsewhere" ] && is_configuring; then
	make_work
	# What cannot be compared, configure.sh will say.
	if (is_configured) 2>/dev/null; then found configured same; fi
fi
