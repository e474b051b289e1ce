"""Settings of `[pbx.<name>]` with `kind = "newpbx"`, and what this PBX can do."""

import re

from pydantic import BaseModel, ConfigDict, Field
from router.telephony_adapter.port import Abilities

ABILITIES = Abilities(
    owns_timer="server",  # its API has no time for a ring
    whole_second_timer=False,
    can_cancel_leg=True,
    can_connect_late=False,
    reports_ringing=True,
    reports_answerer=True,
    idempotent_legs=False,  # it forgets a leg when that is over
)


class NewPbxSettings(BaseModel):
    """How one NewPbx is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^@\s?#]+$")
    """Address of its API."""
    answer_within_s: float = Field(default=1.0, gt=0, le=60)
    """How long a request may take, seconds."""
    look_every_s: float = Field(default=2.0, ge=0.05, le=300)
    """How often its calls are read to see that it is there, seconds."""


def token_variable(name: str) -> str:
    """Environment variable with the token of PBX `name`: it signs both ways."""
    return f"HOPLINE_PBX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_TOKEN"
