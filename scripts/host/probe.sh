# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them: main the arguments, run_state the rest
# probe.sh: what is this host, where can we work on it, what is there already.

# do_probe: id, key; root (where an earlier look worked), need (KiB), blobs
# (SHA:ARCH,…), want (versions that need no work: ARCH:VERSION,…; absent: no agent is
# wanted; purged: nor anything that is kept of one), known=yes
# (files were brought before: do not make the folder again), check=yes (change
# nothing), configure=yes (the agent is to be configured, if it needs no other work
# and is not so already), kept=TARGET (tell what versions of it are kept), user=yes
# (not root, on purpose).
do_probe() {
	uid=$(id -u)
	words=$(uname -sm)
	kernel=${words%% *}
	machine=${words##* }
	case $machine in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	i?86) arch=386 ;;
	armv*) arch=arm ;;
	ppc64le | s390x | riscv64) arch=$machine ;;
	loongarch64) arch=loong64 ;;
	*) arch=unknown ;;
	esac
	encode "$machine"
	say "host uid=$uid kernel=$kernel arch=$arch machine=$encoded boot=$boot"
	if [ "$uid" != 0 ] && [ "$user" != yes ]; then
		say end root=no
		return
	fi
	if [ "$kernel" != Linux ]; then
		say end usable=no
		return
	fi
	tools=yes
	have setsid || have busybox || tools=setsid
	have flock || have busybox || tools=flock
	if [ "$tools" != yes ]; then
		say end "missing=$tools"
		return
	fi

	places
	if ! choose; then
		say end place=no
		return
	fi
	run=$root/runs/$id
	run_state
	say_state run
	say "place root=$root free=$free"
	find_blobs
	[ -z "$kept" ] || find_kept
	if [ -n "$want" ]; then
		probe_agent
	fi
	idle=no
	[ "$agent_fits" != yes ] || [ "$state" != absent ] || [ "$configure$configured" = yes ] || idle=yes
	if [ $idle = yes ] && [ -n "$kept" ]; then
		find_holder
	fi
	if [ "$check" = yes ] || [ $idle = yes ]; then
		leave_no_trace
	elif [ "$state" != absent ] || [ "$known" != yes ]; then
		mkdir -p "$run/work" "$root/files" "$root/locks" || say failed what=mkdir
	fi
	say end "fits=$agent_fits"
}

# choose sets $root: where this run is already, else the first place that will
# do. Why the others will not is said.
choose() {
	made='' trial='' agent_fits=no configured=
	for place in $root $places; do
		if [ -d "$place/runs/$id" ] && ours "$place"; then
			root=$place free=0
			roomy "$place"
			return 0
		fi
	done
	root=
	for place in $places; do
		if usable "$place"; then
			root=$place
			return 0
		fi
		encode "$fault"
		say "tried place=$place why=$encoded"
	done
	return 1
}

# usable DIR makes it if need be, and tries it. $fault says what is wrong.
usable() {
	case $1 in
	*[!A-Za-z0-9._/-]*) fault='unusual characters in its name' && return 1 ;;
	esac
	if [ -d "$1" ] || [ -L "$1" ]; then
		ours "$1" || return 1
		trial=
		if [ "$check" = yes ]; then
			trial=$1/.check.${tag:?}
		fi
	else
		trial=
		if [ "$check" = yes ]; then
			trial=${1%/*}/.tripod-check.${tag:?}
		else
			fault=$(mkdir "$1" 2>&1) || { fault=${fault##*: } && return 1; }
			made=$1
		fi
	fi
	if [ -n "$trial" ]; then
		fault=$(mkdir "$trial" 2>&1) || { fault=${fault##*: } && return 1; }
	fi
	if runs_in "${trial:-$1}" && roomy "${trial:-$1}"; then
		return 0
	fi
	[ -z "$trial" ] || rm -rf "$trial"
	[ -z "$made" ] || rm -rf "$made"
	made=
	return 1
}

# runs_in DIR: programs may run from there. Found out by running one.
runs_in() {
	if [ ! -s "$1/.try" ]; then
		{ printf '#!/bin/sh\nexit 0\n' >"$1/.try"; } 2>/dev/null || { fault='cannot write: full, or read-only' && return 1; }
		chmod 700 "$1/.try"
	fi
	"$1/.try" 2>/dev/null 3>&- && return 0
	fault='programs may not run from there (noexec)'
	return 1
}

# roomy DIR sets $free (KiB), and fails if that is less than needed.
roomy() {
	free=0
	words=$(LC_ALL=C df -Pk "$1" 2>/dev/null)
	# shellcheck disable=SC2086 # to be split into words
	set -- ${words##*'
'}
	case ${4-} in
	'' | *[!0-9]*) ;;
	*) free=$4 ;;
	esac
	fault="$free KiB free, $need needed"
	[ "$free" -ge "$need" ]
}

# find_blobs says which files for this architecture are there, and whole.
find_blobs() {
	rest=$blobs
	while [ -n "$rest" ]; do
		blob=${rest%%,*}
		case $rest in
		*,*) rest=${rest#*,} ;;
		*) rest= ;;
		esac
		sha=${blob%%:*}
		case ${blob#*:} in
		any | "$arch") ;;
		*) continue ;;
		esac
		[ -f "$root/files/$sha" ] || continue
		sum_of "$root/files/$sha"
		[ "$sum" != "$sha" ] || say "have sha=$sha"
	done
}

# find_kept says which versions are kept, and what replaced them, in any of the places: another one may
# have been chosen then. What an unfinished replacement has found is one too.
find_kept() {
	for place in $places; do
		for copy in "$place/kept/$kept" "$place/kept/$kept.next"; do
			if [ -f "$copy/info" ] && [ -d "$copy/tree" ] && ours "$place"; then
				{ read -r word version <"$copy/info"; } 2>/dev/null
				encode "$version"
				version=$encoded
				encode "$(sed -n 4p "$copy/info" 2>/dev/null)"
				say "kept dir=$copy version=$version by=$encoded"
			fi
		done
	done
}

# probe_agent looks for the agent with the target's own probe. $agent_fits says
# whether it is as wanted: healthy and of a version, or absent.
probe_agent() {
	spot=${trial:-$root}/.probe.${tag:?}
	mkdir "$spot" || return
	put_agent "$spot"
	put "$spot/settings" "${settings:?}"
	findings=$(cd "$spot" && sh ./probe.sh ./settings 2>&1 3>&-)
	agent_code=$?
	rm -rf "$spot"
	message='' gone=no
	set -f # findings are words, not patterns
	while read -r word finding; do
		if [ "$word" != tripod: ]; then
			message="$word $finding"
			continue
		fi
		say "agent $finding"
		health='' version=''
		for pair in $finding; do
			case $pair in
			agent=none) health=none gone=yes ;;
			agent=*) health=${pair#*=} gone=no ;;
			left=*) gone=no ;;
			version=*) version=${pair#*=} ;;
			configured=*) configured=${pair#*=} ;;
			esac
		done
		if [ "$health" = healthy ]; then
			case ",$want," in
			*",$arch:$version,"* | *",all:$version,"* | *,any,*) agent_fits=yes ;;
			esac
		fi
	done <<END
$findings
END
	set +f
	[ "$want" != purged ] || nothing_kept || gone=no
	case $want in
	absent | purged) agent_fits=$gone ;;
	esac
	encode "$message"
	say "looked code=$agent_code why=$encoded"
}

# nothing_kept: in none of the places are copies of the target, whole or not, or files that were sent.
nothing_kept() {
	for place in $places; do
		ours "$place" || continue
		for copy in "$place/kept/$kept" "$place/kept/$kept".* "$place"/files/*; do
			[ ! -e "$copy" ] || return 1
		done
	done
}

# find_holder says who works on the target at this moment: what was just seen of
# the agent is then what that run has not replaced yet. The lock is left alone,
# or a run that is about to begin would be turned away by a look.
find_holder() {
	{ read -r holder <"$root/locks/$kept"; } 2>/dev/null || return 0
	run=$root/runs/${holder%% *}
	run_state
	if [ "$state" = alive ]; then
		encode "$holder"
		say busy "holder=$encoded"
	fi
	run=$root/runs/$id
	run_state
}

# leave_no_trace: nothing is to be done on this host, so nothing stays there.
leave_no_trace() {
	for trace in "$trial" "$made"; do
		[ -z "$trace" ] || rm -rf "$trace"
	done
}
