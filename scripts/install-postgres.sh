#!/bin/bash
# Debian's PostgreSQL for the tests. They start servers of their own (tests/support/postgres.py), so no cluster is made
# or started here and port 5432 stays free. Ends with 3 where root is missing.
set -euo pipefail
# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

initdb='/usr/lib/postgresql/*/bin/initdb'
if ! there "$initdb" && [ "$(id -u)" = 0 ]; then
    # Debian's package makes and starts a cluster named main unless postgresql-common says otherwise
    # (pg_createcluster(8), create_main_cluster), and that has to be said before it is installed.
    need_packages postgres postgresql-common=pg_createcluster
    install -d /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/hopline-tests.conf
fi
need_packages postgres "postgresql=$initdb"
for program in $initdb; do "$program" --version; done
