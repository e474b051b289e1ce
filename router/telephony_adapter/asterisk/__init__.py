"""Asterisk 20, 22 and 23 over ARI. The server drives each hop; heads are rung by originate, never by create and dial.

    dialplan Stasis() -> event socket -> `wire` -> `facts` -> reports
    effects -> `orders` -> `wire` -> `client` -> ARI

`legs` is the cache between reports, `sight` reads the whole PBX on connect, `causes` judges how a leg ended, `fallback`
reads the record of calls that were served without us. Manual: asterisk/asterisk rest-api/api-docs; measured on 22.10.
"""

import os
from typing import ClassVar

from router.basis.failures import Mistake, Mistakes
from router.telephony_adapter.asterisk.adapter import Asterisk
from router.telephony_adapter.asterisk.config import AsteriskSettings, password_variable
from router.telephony_adapter.port import PORT_VERSION, Telephony


class AsteriskAdapter:
    """Makes an `Asterisk` out of `[pbx.<name>]` and the password in the environment."""

    kind: ClassVar[str] = "asterisk"
    port_version: ClassVar[int] = PORT_VERSION
    config = AsteriskSettings

    def build(self, name: str, config: AsteriskSettings) -> Telephony:
        """Raises `Mistakes` where the password is missing."""
        variable = password_variable(name)
        password = os.environ.get(variable, "")
        if not password:
            remedy = "set it in the environment to the password of the user in ari.conf"
            raise Mistakes([Mistake(variable, "", remedy)])
        return Asterisk(name, config, password)


ADAPTER = AsteriskAdapter()
