#!/bin/bash
# Debian's Chromium for the browser tests, with a font that has Russian letters. Playwright comes from the lock and is
# pointed at it by executable_path: nothing is downloaded besides Debian packages. Ends with 3 where root is missing.
set -euo pipefail
# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"
need_packages browser chromium=chromium fonts-dejavu-core=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
chromium --version
