#!/bin/bash
# Installs what the tests against a real Asterisk need: debootstrap, SIPp and dumpcap on this machine, and an
# Asterisk 22 or 23 in a chroot of Debian sid (Debian 12 has no asterisk package, and sid must not be mixed into it).
#
#   scripts/asterisk/install.sh            install what is missing, print the version
#   scripts/asterisk/install.sh --check    install nothing; exit 4 and name what is missing
#   scripts/asterisk/install.sh --where    print the chroot's path and stop
#
# HOPLINE_CACHE   where the chroot lies; default ${XDG_CACHE_HOME:-$HOME/.cache}/hopline
# Exit codes: 0 all is there, 1 something failed (said on stderr), 3 root is needed, 4 something is missing (--check).
# Safe to call any number of times and by several processes at once (a lock makes them wait for one another).
set -euo pipefail

SUITE=sid
MAJORS='22|23' # releases the dialplan and the adapter are tested with
CACHE="${HOPLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hopline}"
CHROOT="$CACHE/asterisk-$SUITE"

say() { printf 'asterisk: %s\n' "$*" >&2; }
die() { say "$2"; exit "$1"; }

# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/../apt.sh"

# apt package = the program that proves it is there
TOOLS=(debootstrap=debootstrap sip-tester=sipp wireshark-common=dumpcap debian-archive-keyring=/usr/share/keyrings/debian-archive-keyring.gpg)

missing_packages() {
    local pair
    for pair in "${TOOLS[@]}"; do
        there "${pair#*=}" || printf '%s ' "${pair%%=*}"
    done
}

version() {
    # chroot(2) is for root; anybody can read the package's own record of its version
    if [ "$(id -u)" = 0 ]; then
        chroot "$CHROOT" /usr/sbin/asterisk -V 2>/dev/null
    else
        sed -n '/^Package: asterisk$/,/^$/ s/^Version: [0-9]*:*\(.*\)/Asterisk \1/p' "$CHROOT/var/lib/dpkg/status"
    fi
}

usable() {
    [ -e "$CHROOT/.hopline-complete" ] && [ -x "$CHROOT/usr/sbin/asterisk" ] && version | grep -Eq "^Asterisk ($MAJORS)\."
}

# "URI SIGNED_BY" of Debian's main archive as this machine's apt is set up. apt itself reads sources.list and
# sources.list.d in both formats, so nothing is parsed here by hand and no host is named.
archive() {
    apt-get indextargets --format '$(REPO_URI)|$(COMPONENT)|$(ORIGIN)|$(LABEL)|$(SIGNED_BY)|' 'Created-By: Packages' |
        awk -F'|' '$2 == "main" && $3 == "Debian" && $4 == "Debian" { print $1 "|" $5; exit }'
}

keyring() {
    local candidate
    for candidate in "$1" /usr/share/keyrings/debian-archive-keyring.gpg \
        /usr/share/keyrings/debian-archive-keyring.pgp /etc/apt/trusted.gpg; do
        [ -n "$candidate" ] && [ -f "$candidate" ] && { printf '%s' "$candidate"; return; }
    done
    die 1 "no keyring of Debian's archive found; apt-get install debian-archive-keyring"
}

build_chroot() {
    local found mirror ring half log="$CACHE/debootstrap.log"
    found="$(archive)"
    if [ -z "$found" ]; then # apt knows origins only after an update
        apt-get -qq update >&2 || die 1 'apt-get update failed'
        found="$(archive)"
    fi
    [ -n "$found" ] || die 1 "apt on this machine has no Debian archive in sources.list or sources.list.d"
    mirror="${found%%|*}"
    ring="$(keyring "${found#*|}")"
    half="$CACHE/.asterisk-$SUITE.half"
    # Remains of an interrupted build are worth nothing: debootstrap cannot go on in them. If it was killed, its /proc may
    # still be mounted there.
    awk -v half="$(realpath -m "$half")/" 'index($2, half) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount
    rm -rf --one-file-system "$half"
    eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
    [ -z "${http_proxy:-}" ] || export http_proxy
    [ -z "${https_proxy:-}" ] || export https_proxy
    say "building a chroot of Debian $SUITE with Asterisk in $CHROOT (some minutes; log: $log)"
    if ! DEBIAN_FRONTEND=noninteractive debootstrap --variant=minbase --include=asterisk,ca-certificates \
        --keyring="$ring" "$SUITE" "$half" "$mirror" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        tail -n 20 "$half/debootstrap/debootstrap.log" >&2 2>/dev/null || true
        die 1 'debootstrap failed'
    fi
    rm -rf "$half"/var/cache/apt/archives/*.deb
    touch "$half/.hopline-complete"
    rm -rf --one-file-system "$CHROOT"
    mv "$half" "$CHROOT" # one rename: a chroot under its own name is always whole
}

main() {
    case "${1:-}" in
        --where) printf '%s\n' "$CHROOT"; return ;;
        --check)
            local absent
            absent="$(missing_packages)"
            usable || absent="${absent}Asterisk-chroot"
            [ -z "$absent" ] || die 4 "missing: $absent; run scripts/asterisk/install.sh as root"
            version; return ;;
        '') ;;
        *) die 1 "unknown argument: $1" ;;
    esac
    if usable && [ -z "$(missing_packages)" ]; then
        version
        return
    fi
    [ "$(id -u)" = 0 ] || die 3 'root is needed: debootstrap and chroot refuse anybody else. Run as root: scripts/asterisk/install.sh'
    command -v apt-get >/dev/null || die 1 'apt-get is needed (Debian or a relative of it)'
    mkdir -p "$CACHE"
    exec 9>"$CACHE/.asterisk.lock"
    flock -w 1800 9 || die 1 "another installation has held $CACHE/.asterisk.lock for half an hour"
    need_packages asterisk "${TOOLS[@]}"
    usable || build_chroot
    usable || die 1 "no Asterisk ($MAJORS) in $CHROOT: $(version || echo 'it does not start')"
    version
}

main "$@"
