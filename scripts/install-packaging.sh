#!/bin/bash
# What the packaging tests need: debootstrap, with which they play the Dockerfile in a clean Debian, and the programs
# nginx, caddy and promtool, with which they try the examples of deploy/. Ends with 3 where root is missing.
set -euo pipefail
# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"
unpack_package packaging nginx usr/sbin/nginx
unpack_package packaging caddy usr/bin/caddy
unpack_package packaging prometheus usr/bin/promtool
need_packages packaging debootstrap=debootstrap openssl=openssl \
    debian-archive-keyring=/usr/share/keyrings/debian-archive-keyring.gpg
debootstrap --version
