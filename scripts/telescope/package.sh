# shellcheck shell=sh disable=SC2034,SC2154 # names shared with the files that source this one
# package.sh: the agent's archive: checked, unpacked in a private folder. Sourced after
# agent.sh.

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
	if printf '%s\n' "$archive_names" | grep -Eq '^/|^\.\.$|^\.\./|/\.\./|/\.\.$'; then
		die "$E_PACKAGE" "the package names a path outside its own folder"
	fi
	if gzip -dc <"$TRIPOD_PACKAGE" | tar -tvf - 2>/dev/null |
		grep -E '^[^-d]' | grep -Eqv '^l[^>]* -> [^/.][^>]*$'; then
		die "$E_PACKAGE" "the package holds links out of its folder, or devices"
	fi
}

# free_kib PATH prints the room in KiB where PATH is, or is to be; nothing if
# df does not say.
free_kib() {
	free_path=$1
	while [ ! -e "$free_path" ] && [ -n "${free_path%/*}" ]; do free_path=${free_path%/*}; done
	[ -e "$free_path" ] || free_path=/
	df -Pk "$free_path" 2>/dev/null | awk 'NR > 1 { n = $(NF - 2) } END { print n }'
}

# mount_of PATH prints where the file system of PATH is mounted.
mount_of() {
	mount_path=$1
	while [ ! -e "$mount_path" ] && [ -n "${mount_path%/*}" ]; do mount_path=${mount_path%/*}; done
	[ -e "$mount_path" ] || mount_path=/
	df -Pk "$mount_path" 2>/dev/null | awk 'NR > 1 { m = $NF } END { print m }'
}

# need_room KIB PATH WHAT ends the script if there is less.
need_room() {
	room=$(free_kib "$2")
	case $room in
	'' | *[!0-9]*) return 0 ;;
	esac
	[ "$room" -ge "$1" ] ||
		die "$E_SPACE" "no room for $3: $1 KiB are needed and $room KiB are free where $2 is"
}

# host_arch and elf_arch print amd64, arm64, or something else, or nothing.
host_arch() {
	case $(uname -m) in
	x86_64 | amd64) echo amd64 ;;
	aarch64 | arm64) echo arm64 ;;
	*) uname -m ;;
	esac
}

elf_arch() {
	have od || return 0
	set -- "$(od -An -tx1 -N20 "$1" 2>/dev/null | tr -d ' \n')"
	case $1 in
	7f454c46????????????????????????????3e00) echo amd64 ;;
	7f454c46????????????????????????????b700) echo arm64 ;;
	7f454c46*) echo other ;;
	esac
}

# package_arch prints what the unpacked package is for: its program says it, or
# its names.
package_arch() {
	arch=$(elf_arch "$package_dir/bin/telescope")
	if [ -n "$arch" ]; then
		echo "$arch"
		return
	fi
	for arch_name in "$TRIPOD_ARCH" "${TRIPOD_PACKAGE##*/}" "${package_dir##*/}"; do
		case $arch_name in
		*amd64* | *x86_64*) echo amd64 && return ;;
		*arm64* | *aarch64*) echo arm64 && return ;;
		esac
	done
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
	for unpack_file in telescoped bin/telescope; do
		[ -f "$package_dir/$unpack_file" ] ||
			die "$E_PACKAGE" "this is not a telescope package: it holds no $unpack_file"
	done
	# An archive may have been packed under a strict umask, or under none.
	chmod -R u+rwX,go-w "$package_dir"
	chmod u+x "$package_dir/bin/telescope"
	[ ! -f "$package_dir/bin/agent" ] || chmod u+x "$package_dir/bin/agent"
	new_layout=old
	if grep -q uniagent "$package_dir/install.sh"; then new_layout=new; fi
	unpack_arch=$(package_arch)
	if [ -n "$unpack_arch" ] && [ "$unpack_arch" != "$(host_arch)" ]; then
		die "$E_HOST" "the package is for $unpack_arch, and this host is $(host_arch)"
	fi
	if [ -n "$TRIPOD_ROOT" ] && ! grep -q TRIPOD_ROOT "$package_dir/install.sh"; then
		die "$E_HOST" "this package does not know TRIPOD_ROOT: it would install outside it"
	fi
}
