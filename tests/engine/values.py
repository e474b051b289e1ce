"""What the second machine is told: names and terms."""

import msgspec

from router.basis.instants import SECOND, Duration

ANNA, BORIS, CLARA = "clerk:anna", "clerk:boris", "clerk:clara"


class Terms(msgspec.Struct, frozen=True):
    """Pinned at the start of a request."""

    clerks: tuple[str, ...] = (ANNA, BORIS)
    remind: Duration = Duration(60 * SECOND)
    let_go: Duration = Duration(180 * SECOND)
    remind_manager: Duration = Duration(120 * SECOND)
    expire: Duration = Duration(900 * SECOND)
