#!/bin/sh
# A Debian 13 with its Blender (4.3.2) in a folder, for `python -m tests.real_blender --root FOLDER`.
# Run as root: sh tests/real_blender/debian.sh FOLDER. Needs debootstrap; 1.4 GB, some minutes.
# MIRROR names another mirror than Debian's own.
set -eu
[ $# -eq 1 ] || { echo "name the folder to make" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "only root may do this; use sudo" >&2; exit 2; }
command -v debootstrap > /dev/null || { echo "install debootstrap first" >&2; exit 2; }
root=$1

[ -x "$root/usr/bin/apt-get" ] ||
    debootstrap --variant=minbase trixie "$root" "${MIRROR:-http://deb.debian.org/debian}"
# the way to the mirror, and whom to believe there, are this machine's
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp -R /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mkdir -p "$root/etc/ssl/certs"
cp -RL /etc/ssl/certs/. "$root/etc/ssl/certs/" 2> /dev/null || true
printf 'path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/locale/*\n' \
    > "$root/etc/dpkg/dpkg.cfg.d/slim"

mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
trap 'umount --lazy "$root/dev" "$root/proc"' EXIT
chroot "$root" apt-get -q update
DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -q --no-install-recommends \
    blender python3-numpy libgl1-mesa-dri libegl1 xvfb xauth xdotool imagemagick
echo "ready: $root"
