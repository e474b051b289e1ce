"""NewPbx. Rooms: `config` (settings), `wire` (pure), `client` (out), `routes` (in)."""

import os
from typing import Any, ClassVar

from router.basis.failures import Mistake, Mistakes
from router.telephony_adapter.port import Adapter, Telephony

from hopline_newpbx.client import NewPbx
from hopline_newpbx.config import NewPbxSettings, token_variable

__all__ = ["ADAPTER"]


class NewPbxAdapter:
    """Entry point `hopline.telephony`, kind `newpbx`."""

    kind: ClassVar[str] = "newpbx"
    port_version: ClassVar[int] = 1
    """The version of the port that this was written for; a server that speaks another refuses it in words."""
    config: type[Any] = NewPbxSettings

    def build(self, name: str, config: NewPbxSettings) -> Telephony:
        """Reads the token from the environment, once. Raises Mistakes."""
        variable = token_variable(name)
        token = os.environ.get(variable, "")
        if not token:
            raise Mistakes([Mistake(f"environment.{variable}", "", "set it to the token of the PBX's API")])
        return NewPbx(name, config, token)


ADAPTER: Adapter = NewPbxAdapter()
