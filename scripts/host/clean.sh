# shellcheck shell=sh
# shellcheck disable=SC2154 # lib.sh assigns them: main the arguments, run_state the rest
# clean.sh: remove what is no longer needed.

# do_clean: root, id; purge (a target of which nothing is to stay). Call it when
# the result is stored. Files that were brought stay for the next time, the eight
# newest at least for a day, none longer than 30 days unused. So do runs that nobody
# came back to, whose settings may have keys in them; of looks that were cut off
# nothing.
do_clean() {
	rm -rf "${run:?}" && cleaned=yes || cleaned=no
	remove_inbox
	count=0
	for file in "$root"/files/* "$root"/files/.*.tmp; do
		[ -f "$file" ] && count=$((count + 1))
	done
	if [ "$count" -gt 8 ]; then
		find "$root/files" -type f -ctime +30 -exec rm -f {} +
		kept=0
		# shellcheck disable=SC2012 # our own names: hexadecimal digits
		ls -tc "$root/files" | while read -r file; do
			kept=$((kept + 1))
			[ "$kept" -le 8 ] || find "$root/files/$file" -type f -ctime +0 -exec rm -f {} +
		done
		find "$root/files" -name '.*.tmp' -ctime +0 -exec rm -f {} +
	fi
	drop_older 30 "$root"/runs/*
	drop_older 1 "$root"/.probe.*
	left=
	[ -z "$purge" ] || purge
	encode "$left"
	say end "cleaned=$cleaned left=$encoded"
}

# purge removes what is kept of the target, in all places, and all files and folders where no other task is
# at work. $left are the places that stay.
purge() {
	places
	for place in $places; do
		if [ ! -d "$place" ] || ! ours "$place"; then continue; fi
		rm -rf "$place/kept/$purge" "$place/kept/$purge".*
		rmdir "$place/kept" "$place/runs" 2>/dev/null
		if [ ! -e "$place/kept" ] && [ ! -e "$place/runs" ]; then
			rm -rf "$place/files" "$place/locks" "$place/.try" "$place"/.probe.* "$place"/.check.*
			rmdir "$place" 2>/dev/null
		fi
		[ ! -e "$place" ] || left="$left${left:+, }$place"
	done
}

# drop_older DAYS FOLDER... removes those that nothing was added to for so long.
drop_older() {
	days=$1
	shift
	[ ! -e "$1" ] || find "$@" -prune -mtime +$((days - 1)) -exec rm -rf {} + 2>/dev/null
}
