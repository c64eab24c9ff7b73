# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them: main the arguments, run_state the rest
# run.sh: put the files in place, start the script detached, follow its output.

# do_run: root, id, key, target; blobs (SHA,… just brought to $from/.SHA.$tag.tmp),
# what to run: script (SHA) with beside (SHA:NAME,…: files to put beside it),
# package (SHA), kept (folder of a kept version to put back), none of them (the agent
# gets itself from the network, as the settings say); doing (which of the target's
# scripts: install, uninstall, configure); launch=yes (start it if it was not),
# wipe=yes (what an earlier attempt left goes first), offset (bytes of output that
# Tripod has; it begins later where that part is no longer kept). Small files are in
# file_SHA, as printf reads them.
do_run() {
	run_state
	if [ "$wipe" = yes ] && [ "$state" != absent ] && [ "$by" != "$key" ]; then
		wipe_run || return
	fi
	runner=
	if [ "$launch" = yes ] && [ "$state" = staged ]; then
		rename_uploads && prepare && launch || return
	fi
	case $state in
	absent | fenced) ;;
	staged) [ -z "$runner" ] || follow ;;
	*) follow ;;
	esac
	say_state end
}

# wipe_run removes what an earlier attempt left, processes first.
wipe_run() {
	if [ "$state" = alive ] || ! run_is_over; then
		say busy "holder=$by"
		return 1
	fi
	rm -rf "$run"
	mkdir -p "$run/work" || { say failed what=folder; return 1; }
	state=staged
}

# run_is_over: no process of the earlier script can go on. After an exit code
# what is left in its session is the agent, which stays.
run_is_over() { [ "$state" != died ] || [ "$rebooted" = yes ] || end_family; }

# rename_uploads gives the files that were brought their final names, if they are whole.
# The check is made on the copy that is kept, and that nobody else can write to.
rename_uploads() {
	rest=$blobs
	while [ -n "$rest" ]; do
		sha=${rest%%,*}
		case $rest in
		*,*) rest=${rest#*,} ;;
		*) rest= ;;
		esac
		brought=$from/.$sha.$tag.tmp
		copy=$root/files/.$sha.$tag.tmp
		if [ ! -f "$brought" ]; then
			# An earlier request of this attempt may have come so far.
			[ -f "$root/files/$sha" ] && sum_of "$root/files/$sha" && [ "$sum" = "$sha" ] && continue
			say failed what=absent
			return 1
		fi
		[ "$brought" = "$copy" ] || cp "$brought" "$copy" || { say failed what=copy; return 1; }
		whole "$copy" "$sha" || { rm -f "$copy"; return 1; }
		if ! chmod 700 "$copy" || ! mv "$copy" "$root/files/$sha"; then
			say failed what=rename
			return 1
		fi
	done
	remove_inbox
}

# whole FILE SHA checks the content.
whole() {
	sum_of "$1"
	[ "$sum" != "$2" ] || return 0
	[ -n "$sum" ] || say failed what=tool
	say failed what=sum
	return 1
}

# prepare fills the run's folder. The content's name may be removed by another
# run in its time, so the run has links of its own.
prepare() {
	{
		put "$run/runner.sh" "${runner_text:?}" && true >>"$run/output"
	} 2>/dev/null || { say failed what=full; return 1; }
	if [ -n "$script" ]; then
		bring "$script" work/script && put_beside
	else
		mkdir -p "$run/agent" "$root/kept" &&
			put_agent "$run/agent" &&
			put "$run/settings" "${settings:?}
TRIPOD_PACKAGE='${package:+$run/package.tar.gz}'
TRIPOD_RESTORE='$kept'
TRIPOD_KEEP='$root/kept/$target'
TRIPOD_TASK='$id'
TRIPOD_WORK='$run'
" &&
			put "$run/script" "#!/bin/sh
exec sh ./agent/${doing:-install}.sh ./settings
" && chmod 700 "$run/script" && { [ -z "$package" ] || own "$package" package.tar.gz; }
	fi || { say failed what=files; return 1; }
}

# put_beside gives the script copies that it may change.
put_beside() {
	rest=$beside
	while [ -n "$rest" ]; do
		file=${rest%%,*}
		case $rest in
		*,*) rest=${rest#*,} ;;
		*) rest= ;;
		esac
		bring "${file%%:*}" "work/${file#*:}" || return
	done
}

# bring SHA NAME gives the run a file of its own, which the script may change.
bring() {
	if eval "[ -n \"\${file_$1+x}\" ] && content=\$file_$1"; then
		# shellcheck disable=SC2059 # it is one
		printf "$content" >"$run/$2" && whole "$run/$2" "$1" && chmod 700 "$run/$2"
	else
		cp "$root/files/$1" "$run/$2"
	fi
}

own() { [ -e "$run/$2" ] || ln "$root/files/$1" "$run/$2" 2>/dev/null || cp "$root/files/$1" "$run/$2"; }

# launch starts the runner in a session of its own, under the target's lock. It
# sets $runner to its number.
launch() {
	true >>"$root/locks/$target" || { say failed what=lock; return 1; } # exec would end this shell
	exec 9>>"$root/locks/$target"
	if ! lock; then
		run_state # a launch of ours, whose answer got lost, may hold it
		if [ "$state" = staged ]; then
			{ read -r holder <"$root/locks/$target"; } 2>/dev/null
			encode "${holder-}"
			say busy "holder=$encoded"
			return 1
		fi
		exec 9>&-
		return 0
	fi
	echo "$id since $now" >"$root/locks/$target"
	watch_for_end
	{
		if [ -n "$script" ]; then # not as an argument, which others could read
			export "TRIPOD_SCRIPT=$settings"
		fi
		if [ -n "$lc_all" ]; then LC_ALL=$lc_all; else unset LC_ALL; fi
		detached sh "$run/runner.sh" "$run" "$key"
	} </dev/null >/dev/null 2>&1 3>&- 9>&9 &
	runner=$!
	exec 9>&-
}

# Some shells keep descriptors to themselves, hence 9>&9.
lock() { if have flock; then flock -n 9 9>&9; else busybox flock -n 9 9>&9; fi; }

detached() { if have setsid; then exec setsid "$@"; else exec busybox setsid "$@"; fi; }

# watch_for_end lets the runner wake us.
watch_for_end() {
	woken=
	trap 'woken=yes' USR1
	look_at $$ && echo "$$ $born" >"$run/follower"
}

# follow sends the output from $offset on until the script has ended. Descriptor
# 5 keeps the place: each dd goes on where the last one stopped.
follow() {
	[ -n "$runner" ] || watch_for_end
	[ -f "$run/output" ] || return
	exec 5<"$run/output"
	{ read -r cut <"$run/cut"; } 2>/dev/null && [ "$offset" -lt "$cut" ] && offset=$cut
	at=$offset
	if [ "$at" != 0 ]; then
		dd bs=1 skip="$at" count=0 <&5 2>/dev/null
	fi
	say begin "at=$at"
	rounds=0
	while :; do
		run_state
		send_output
		case $state in
		alive) ;;
		staged) # not yet begun; or it could not
			kill -0 "$runner" 2>/dev/null || { run_state && [ "$state" != staged ]; } || break
			;;
		*) break ;;
		esac
		rounds=$((rounds + 1))
		# A sign of life, and how this process learns that nobody listens.
		[ $((rounds % 15)) -ne 0 ] || say beat
		sleep 1 3>&- &
		nap=$!
		[ -n "$woken" ] || exit_code || wait "$nap"
		kill "$nap" 2>/dev/null
		woken=
	done
	exec 5<&-
}

# send_output sends what has come until now, in frames. A process that the script
# left behind may write on for ever: what comes after the end is not sent.
send_output() {
	[ -s "$run/output" ] || return 0
	# shellcheck disable=SC2012,SC2046 # our own name
	set -- $(LS_BLOCK_SIZE=1 ls -ln "$run/output") # in bytes, whatever BLOCK_SIZE is
	size=$5
	while [ "$at" -lt "$size" ]; do
		n=$((size - at))
		[ "$n" -le 1048576 ] || n=1048576
		printf 'o %d\n' "$n" >&3
		dd bs="$n" count=1 <&5 >&3 2>/dev/null
		at=$((at + n))
		place
		if [ "$placed" -lt "$at" ]; then # the script has shortened its output
			dd if=/dev/zero bs=$((at - placed)) count=1 >&3 2>/dev/null
			at=$size
		fi
		[ $((at % 16777216)) -ge 1048576 ] || [ "$at" -lt 16777216 ] || free_disk
	done
}

# free_disk gives back the room of output that has been sent, so that a script
# that never stops talking does not fill the disk while it is listened to.
free_disk() {
	have fallocate && echo "$at" >"$run/cut" && fallocate -p -o 0 -l "$at" "$run/output" 2>/dev/null
}

# place sets $placed to where descriptor 5 stands.
place() {
	placed=$at
	while read -r name value; do
		[ "$name" != pos: ] || placed=$value
	done <"/proc/$$/fdinfo/5"
}
