"""Settings of `[pbx.<name>]` with `kind = "asterisk"`. The password is no setting: see `password_variable`."""

import math
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class AsteriskSettings(BaseModel):
    """How one Asterisk is reached and what its dialplan calls things. Counterpart: deploy/asterisk/*.conf."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(default="http://127.0.0.1:8088/ari", pattern=r"^https?://[^@\s?#]+$")
    """Base of ARI, without user and password: http.conf `bindaddr`, `bindport`, `prefix`, and `/ari` behind."""
    user: str = "hopline"
    """Section of ari.conf."""
    application: str = Field(default="hopline", pattern=r"^[A-Za-z0-9_-]+$")
    """First argument of Stasis() in the dialplan. One server each: the newest connection takes its events."""
    endpoint: str = "PJSIP/{extension}"
    """What is dialled for an extension; read backwards to learn who answered."""
    extension_pattern: str = r"[0-9]{2,6}"
    """What an extension looks like, so that a trunk or another device is not taken for a head's phone."""
    fallback_context: str = "hopline-fallback"
    """Where a call is sent that the server does not serve (deploy/asterisk/extensions_hopline.conf)."""
    fallback_extension: str = "{line}"
    """Extension in that context; `{line}` is the dialled number."""
    fallback_record: Path | None = None
    """File in which the dialplan writes the calls that its fallback served; None: they are not read back."""
    fallback_position: Path | None = None
    """Where the server keeps how far it has read that file; None: in memory only, it is read anew at each start."""
    fallback_poll_s: float = Field(default=5.0, ge=0.05, le=3600)
    """How often the record is looked at, seconds. A caller served there waits for nobody: seconds do."""
    devices_poll_s: float = Field(default=5.0, ge=0, le=3600)
    """How often Asterisk is asked which phones can be reached, seconds; 0: never. Asked, not subscribed to: on 22.10 a
    subscription to device states locks ARI up for good when the socket closes while a device changes (stack trace:
    res_stasis_device_state.c joins a callback that waits for the session's lock, which the closing thread holds)."""
    on_replaced: Literal["exit", "reconnect_after_30s"] = "exit"
    """Another connection took the application over. `exit`: stop for good, a person has to look; else try again after
    30 s: two servers under one name would otherwise take it from one another many times a second."""
    delete_recordings: bool = True
    """Delete a recording on the PBX after it was copied and checked: it is personal data, and one place is enough."""
    net_s: int = Field(default=3, ge=1, le=60)
    """A ring that the server ends itself is ended by Asterisk this many seconds later, in case the server is dead."""
    request_timeout_s: float = Field(default=3.0, gt=0, le=60)
    """An answer of ARI takes about a millisecond; after this long it is taken as lost."""
    connections: int = Field(default=16, ge=1, le=500)
    """HTTP connections at most; http.conf `sessionlimit` (Asterisk's default: 100) must be above it."""
    keep_alive_s: float = Field(default=10.0, ge=0, le=3600)
    """An idle connection is kept this long: less than http.conf `session_keep_alive` (Asterisk's default: 15 s)."""
    ping_s: float = Field(default=10.0, ge=0.05, le=300)
    """A ping on the event socket this often; no pong within half of it: the PBX is lost (half-open connections)."""
    stale_s: float = Field(default=5.0, gt=0)
    """A report older than this is checked against the PBX before its channel is believed to be alive."""

    @field_validator("endpoint")
    @classmethod
    def _names_the_extension(cls, value: str) -> str:
        if value.count("{extension}") != 1:
            raise ValueError("write {extension} once, for example PJSIP/{extension}")
        return value

    @field_validator("extension_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from error
        return value

    def endpoint_of(self, extension: str) -> str:
        """What is dialled to ring `extension`."""
        return self.endpoint.replace("{extension}", extension)

    def extension_of(self, endpoint: str) -> str:
        """The extension behind `PJSIP/101` or a channel's name, `PJSIP/101-0000002a`; empty: none of ours."""
        found = re.fullmatch(_backwards(self.endpoint, self.extension_pattern), endpoint)
        return found["extension"] if found else ""

    def is_extension(self, number: str) -> bool:
        """Whether it looks like one of the house."""
        return bool(re.fullmatch(self.extension_pattern, number))

    def timeout_of(self, ring_us: int, *, timed_by_pbx: bool) -> int:
        """Whole seconds for originate (ARI rest-api/api-docs/channels.json: int, seconds; 0 would mean 30)."""
        if timed_by_pbx:
            return max(1, round(ring_us / 1_000_000))
        return math.ceil(ring_us / 1_000_000) + self.net_s


def _backwards(template: str, extension: str) -> str:
    before, after = template.split("{extension}")
    # `/n` and other options behind a Local channel's context do not come back in its name; the name ends in `-` and
    # eight hex digits of the sequence (asterisk main/channel.c, channels/chan_pjsip.c), `;1` or `;2` for Local halves.
    after = after.split("/", maxsplit=1)[0]
    return rf"{re.escape(before)}(?P<extension>{extension}){re.escape(after)}(?:-[0-9a-f]{{8,}}(?:;[12])?)?"


def password_variable(name: str) -> str:
    """Environment variable that holds the password of PBX `name`."""
    return f"HOPLINE_PBX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_PASSWORD"
