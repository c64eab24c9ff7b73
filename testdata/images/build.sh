#!/bin/sh
# Builds the images of the test hosts and prints the name of the plain one; the
# others have the name of their init system behind it. Does nothing but that when
# they are there already: the name has a hash of what they are made of.
set -eu
cd "$(dirname "$0")"

base=debian:bookworm-slim
say() { echo "build.sh: $*" >&2; }

command -v docker >/dev/null || { say "no docker here"; exit 1; }
hash=$(cat Dockerfile testhost | sha256sum | cut -c1-12)
image=tripod-testhost:$hash

have() { docker image inspect "$@" >/dev/null 2>&1; }
have_all() { have "$image" "$image-systemd" "$image-sysvinit" "$image-openrc"; }

# mirror prints the Debian mirror that this machine itself is set up with.
mirror() {
	# shellcheck disable=SC2016 # apt-get fills in REPO_URI, not the shell
	if command -v apt-get >/dev/null; then
		apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep '/debian/*$' | sort -u | head -n 1
	fi
}

bootstrap() {
	[ "$(id -u)" = 0 ] || { say "cannot pull $base, and to make it I must be root"; exit 1; }
	if ! command -v debootstrap >/dev/null; then
		say "installing debootstrap"
		apt-get update >&2 && apt-get install -y --no-install-recommends debootstrap >&2
	fi
	from=$(mirror)
	[ -n "$from" ] || { say "cannot pull $base, and no Debian mirror is configured here"; exit 1; }
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	say "making $base from this machine's Debian mirror (some minutes)"
	# A mirror that is away for a moment is asked again.
	for try in 1 2 3; do
		rm -rf "$dir/root"
		if debootstrap --variant=minbase bookworm "$dir/root" "$from" >"$dir/log" 2>&1; then
			break
		fi
		tail "$dir/log" >&2
		[ "$try" != 3 ] || exit 1
		sleep 10
	done
	tar -C "$dir/root" --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* --exclude=./var/cache/apt/archives/*.deb -c . |
		docker import - "$base" >/dev/null
}

build() {
	have_all && return
	have "$base" || docker pull -q "$base" >/dev/null 2>&1 || bootstrap
	say "building $image"
	docker build -q --target plain -t "$image" . >/dev/null
	for init in systemd sysvinit openrc; do
		docker build -q --target "$init" -t "$image-$init" . >/dev/null
	done
}

# One at a time: several test packages call this at once.
if have_all; then
	:
elif command -v flock >/dev/null; then
	(flock 9; build) 9>"${TMPDIR:-/tmp}/tripod-testhost.$(id -u).lock"
else
	build
fi
# What killed tests have left behind.
for what in container network; do
	docker "$what" prune -f --filter label=tripod.testhost --filter until=2h >/dev/null 2>&1 || true
done
echo "$image"
