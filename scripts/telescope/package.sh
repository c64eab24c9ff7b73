# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# package.sh: the agent's archive: checked, unpacked in a private folder.

# check_archive ends the script if TRIPOD_PACKAGE is not a whole .tar.gz, or
# names places outside its own folder. Sets unpacked_kib.
check_archive() {
	[ -n "$TRIPOD_PACKAGE" ] || die "$E_USAGE" "TRIPOD_PACKAGE is not set"
	[ -f "$TRIPOD_PACKAGE" ] && [ -r "$TRIPOD_PACKAGE" ] ||
		die "$E_PACKAGE" "no such package: $TRIPOD_PACKAGE"
	gzip -t <"$TRIPOD_PACKAGE" 2>/dev/null ||
		die "$E_PACKAGE" "the package is damaged, or is not a .tar.gz: $TRIPOD_PACKAGE"
	unpacked_kib=$(($(gzip -dc <"$TRIPOD_PACKAGE" | wc -c) / 1024 + 1))
	# Not `tar -z`: it reports a broken pipe where gzip has said enough.
	archive_names=$(gzip -dc <"$TRIPOD_PACKAGE" | tar -tf - 2>/dev/null) && [ -n "$archive_names" ] ||
		die "$E_PACKAGE" "the package is not a tar archive: $TRIPOD_PACKAGE"
	case $newline$archive_names$newline in
	*"$newline/"* | *"$newline../"* | *"$newline..$newline"* | */../* | *"/..$newline"*)
		die "$E_PACKAGE" "the package names a path outside its own folder"
		;;
	esac
	if gzip -dc <"$TRIPOD_PACKAGE" | tar -tvf - 2>/dev/null |
		grep -E '^[^-d]' | grep -Eqv '^l[^>]* -> [^/.][^>]*$'; then
		die "$E_PACKAGE" "the package holds links out of its folder, or devices"
	fi
}

# room_at PATH sets free (KiB, nothing if df does not say) and mount: of the file system
# where PATH is, or is to be.
room_at() {
	room_path=$1
	while [ -n "$room_path" ] && [ ! -e "$room_path" ]; do room_path=${room_path%/*}; done
	room=$(df -Pk "${room_path:-/}" 2>/dev/null)
	room=${room##*"$newline"}
	mount=${room#*"% "}
	free=
	# shellcheck disable=SC2086 # a name that may hold blanks, three numbers and per cent
	set -- ${room%%"% "*}
	[ $# -lt 5 ] || shift $(($# - 2))
	case $1 in
	*[!0-9]*) ;;
	*) free=$1 ;;
	esac
}

# need_room KIB PATH WHAT ends the script if there is less.
need_room() {
	room_at "$2"
	[ -z "$free" ] || [ "$free" -ge "$1" ] ||
		die "$E_SPACE" "no room for $3: $1 KiB are needed and $free KiB are free where $2 is"
}

# find_system sets os, kernel and host_arch (amd64, arm64, or something else).
find_system() {
	# shellcheck disable=SC2046 # into words
	set -- $(uname -srm)
	os=$1 kernel=$2 host_arch=$3
	case $3 in
	x86_64) host_arch=amd64 ;;
	aarch64) host_arch=arm64 ;;
	esac
}

# elf_arch FILE sets arch: what the program is for; nothing if it is no program, or nobody
# can tell.
elf_arch() {
	arch=
	have od || return 0
	# shellcheck disable=SC2046 # into words
	set -- $(od -An -tx1 -N20 "$1" 2>/dev/null)
	[ "${1-}${2-}${3-}${4-}" = 7f454c46 ] || return 0
	case ${19-}${20-} in
	3e00) arch=amd64 ;;
	b700) arch=arm64 ;;
	*) arch=other ;;
	esac
}

# package_arch sets arch: what the unpacked package is for. Its program says it, or its names.
package_arch() {
	elf_arch "$package_dir/$agent_program"
	[ -z "$arch" ] || return 0
	for arch in "$TRIPOD_ARCH" "${TRIPOD_PACKAGE##*/}" "${package_dir##*/}"; do
		case $arch in
		*amd64* | *x86_64*) arch=amd64 && return ;;
		*arm64* | *aarch64*) arch=arm64 && return ;;
		esac
	done
	arch=
}

# unpack unpacks into a folder of our own and sets package_dir and new_layout.
unpack() {
	mkdir "$work/package" || die "$E_SPACE" "cannot make a folder in $work"
	if ! tar_says=$(gzip -dc <"$TRIPOD_PACKAGE" | (cd "$work/package" && tar -xf - -o) 2>&1); then
		case $tar_says in
		*'No space left'*) die "$E_SPACE" "the disk is full where $work is" ;;
		esac
		die "$E_PACKAGE" "the package cannot be unpacked: $(printf '%s\n' "$tar_says" | sed -n 1p)"
	fi
	package_dir=
	for unpack_dir in "$work/package" "$work/package"/*; do
		if [ -f "$unpack_dir/install.sh" ]; then
			package_dir=$unpack_dir
			break
		fi
	done
	[ -n "$package_dir" ] || die "$E_PACKAGE" "this is not a telescope package: it holds no install.sh"
	for unpack_file in $agent_control $agent_program; do
		[ -f "$package_dir/$unpack_file" ] ||
			die "$E_PACKAGE" "this is not a telescope package: it holds no $unpack_file"
	done
	# An archive may have been packed under a strict umask, or under none.
	chmod -R u+rwX,go-w "$package_dir"
	chmod u+x "$package_dir/$agent_program"
	[ ! -f "$package_dir/bin/agent" ] || chmod u+x "$package_dir/bin/agent"
	new_layout=old
	if grep -q "$uni_place" "$package_dir/install.sh"; then new_layout=new; fi
	package_arch
	find_system
	[ -z "$arch" ] || [ "$arch" = "$host_arch" ] ||
		die "$E_HOST" "the package is for $arch, and this host is $host_arch"
	if [ -n "$TRIPOD_ROOT" ] && ! grep -q TRIPOD_ROOT "$package_dir/install.sh"; then
		die "$E_HOST" "this package does not know TRIPOD_ROOT: it would install outside it"
	fi
}
