"""Settings of `[pbx.<name>]` with `kind = "webhook"`. The secrets are no setting: see `secrets_variable`."""

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.telephony_adapter.port import Abilities


class WebhookSettings(BaseModel):
    """How one webhook PBX is reached and what it can do. Manual for its owner: docs/webhook-pbx.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Literal["conductor", "adviser", "witness"] = "conductor"
    """Who leads a call. `conductor`: the server orders every ring. `adviser`: the PBX asks whom to ring
    (`advice.asked`). `witness`: it hunts by its own plan and tells."""
    commands: Literal["callback", "poll", "none"] = "callback"
    """How commands reach the PBX. `callback`: we call `command_url`. `poll`: it fetches them (behind NAT).
    `none`: not at all, which only an adviser's or a witness's PBX can do without."""
    command_url: str | None = Field(default=None, pattern=r"^https?://[^@\s?#]+$")
    """Address of the PBX that takes our commands; its live calls are read below it, at `<command_url>/calls`. Needed
    where `commands = "callback"`."""
    answer_within_s: float = Field(default=1.0, gt=0, le=60)
    """How long a command may take, seconds. It is only accepted within this time, not carried out. A command that was
    lost on the way is repeated after it, so it is short: two phones may ring as long as a lost stop is not repeated."""
    look_every_s: float = Field(default=2.0, ge=0.05, le=300)
    """How often the list of calls is read to see that the PBX is there, seconds."""
    lost_after: int = Field(default=2, ge=1, le=100)
    """How many readings in a row must fail before the PBX counts as out of sight: one may be a slow moment."""
    net_s: int = Field(default=3, ge=1, le=60)
    """A ring that the server ends itself is ended by the PBX this many seconds later, in case the server is dead."""
    connections: int = Field(default=32, ge=1, le=1000)
    """Connections to the PBX at most."""
    owns_timer: Literal["pbx", "server", "none"] = "pbx"
    """Who ends a ring after its full time. `pbx`: it honours `ring_ms`, also while the server is away. `none`: after a
    time of its own (witness only)."""
    whole_second_timer: bool = False
    """The PBX rounds `ring_ms` to seconds."""
    can_cancel_leg: bool = True
    """It obeys `stop` while a phone rings."""
    can_connect_late: bool = False
    """An answer that comes after `stop` may still be connected."""
    reports_ringing: bool = True
    """It tells `leg.ringing`."""
    reports_answerer: bool = True
    """It names the extension in `leg.answered`."""
    idempotent_legs: bool = True
    """A ring ordered twice under one leg id rings once, also after the leg has ended."""
    remembers_legs: bool = True
    """Legs that ended within the last ten minutes are in the list of calls."""
    can_reroute_ringing: bool = False
    """A `ring` for the next phone takes the client from the one that rings."""
    can_wait: bool = True
    """Adviser: it can keep a client and ask again when it is told to wait."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.commands == "callback" and self.command_url is None:
            raise ValueError('give command_url, or say commands = "poll" (or "none" for an adviser or witness)')
        if self.commands != "callback" and self.command_url is not None:
            raise ValueError(f'commands = "{self.commands}" needs no command_url: take one of the two away')
        self.abilities()  # raises ValueError where they contradict one another
        return self

    def abilities(self) -> Abilities:
        """As the port asks for them."""
        return Abilities(
            owns_timer=self.owns_timer,
            whole_second_timer=self.whole_second_timer,
            can_cancel_leg=self.can_cancel_leg,
            can_connect_late=self.can_connect_late,
            reports_ringing=self.reports_ringing,
            reports_answerer=self.reports_answerer,
            idempotent_legs=self.idempotent_legs,
            can_reroute_ringing=self.can_reroute_ringing,
            style=self.style,
            can_wait=self.can_wait,
            can_look=self.commands != "none",
        )


def secrets_variable(name: str) -> str:
    """Environment variable that holds the secrets shared with PBX `name`, separated by spaces; the first one signs."""
    return f"HOPLINE_PBX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_SECRETS"
