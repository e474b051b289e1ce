# shellcheck shell=bash
# Sourced by install-*.sh: installs Debian packages by name, only what is missing, and says so.
#   need_packages WHO PACKAGE=PROGRAM ...      PROGRAM is a command or an absolute path (may be a pattern)

there() { # is the program of a pair there?
    case $1 in
        /*) compgen -G "$1" >/dev/null ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

need_packages() {
    local who=$1 pair try missing=()
    shift
    for pair in "$@"; do
        there "${pair#*=}" || missing+=("${pair%%=*}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "$who: root is needed:  apt-get install ${missing[*]}" >&2
        exit 3
    fi
    if ! command -v apt-get >/dev/null; then
        echo "$who: not Debian (no apt-get); install what stands for: ${missing[*]}" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    echo "$who: apt-get install ${missing[*]}" >&2
    for try in 1 2 3; do
        # Lists may be absent or older than the archive; another apt-get may hold the lists' lock.
        if { apt-get -qq update &&
            apt-get -qq install -y --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"; } >"$log" 2>&1; then
            rm -f "$log"
            return 0
        fi
        echo "$who: apt-get failed (try $try of 3)" >&2
        sleep $((try * 5))
    done
    tail -n 30 "$log" >&2
    rm -f "$log"
    exit 1
}

hopline_cache() { # where things live that are worth keeping from run to run
    printf '%s\n' "${HOPLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hopline}"
}

# Debian starts a service as soon as its package is installed. Where only a program of it is wanted, the package is
# unpacked beside the system instead: nothing starts, no port is taken, root is not needed.
#   unpack_package WHO PACKAGE PROGRAM         PROGRAM is a path inside the package
unpack_package() {
    local who=$1 package=$2 program=$3 goal half
    goal=$(hopline_cache)/unpacked/$package
    [ ! -x "$goal/$program" ] || return 0
    if ! apt-cache show "$package" >/dev/null 2>&1; then
        if [ "$(id -u)" != 0 ]; then
            echo "$who: root is needed:  apt-get update   (the lists do not know $package)" >&2
            exit 3
        fi
        apt-get -qq update >&2
    fi
    echo "$who: unpacking $package into $goal" >&2
    mkdir -p "$(dirname "$goal")"
    half=$(mktemp -d "$goal.half.XXXXXX")
    # A list may name a version that the archive has replaced since: one more try with new lists.
    (cd "$half" && { apt-get -qq download "$package" || { apt-get -qq update && apt-get -qq download "$package"; }; }) \
        >/dev/null 2>&1 || { rm -rf "$half"; echo "$who: cannot download $package" >&2; exit 1; }
    dpkg -x "$half"/*.deb "$half"
    rm -f "$half"/*.deb
    rm -rf "$goal"
    mv "$half" "$goal"
    chmod 755 "$goal"
}
