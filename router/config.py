"""Reads the configuration: one TOML file, secrets from the environment. All mistakes are reported together.

Read once at the start; nothing reads the environment later. Each adapter declares its own part (`[pbx.<name>]`) in its
folder; adapters are found by the entry points `hopline.telephony`.
"""

import os
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.basis.failures import Mistake, Mistakes
from router.telephony_adapter.port import PORT_VERSION, Adapter, Telephony

SECRET_VARIABLE = "HOPLINE_SECRET"  # noqa: S105 - the name, not the secret
API_TOKEN_VARIABLE = "HOPLINE_API_TOKEN"  # noqa: S105 - the name, not the token
SECRET_LENGTH = 32
"""Characters at least: 128 bits if they are hex digits."""


class ServerSettings(BaseModel):
    """`[server]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """Address to listen on; put a reverse proxy with TLS in front (deploy/proxy) rather than opening this one."""
    port: int = Field(default=8080, ge=0, le=65535)
    """TCP port; 0 takes a free one and prints it."""
    data: Path = Path("data")
    """Folder of the journal; must be on a local disk (SQLite's WAL does not work over a network file system)."""
    public_url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^\s?#]+$")
    """What people type; personal links begin with it."""
    language: str = Field(default="ru", pattern=r"^(ru|en)$")
    """Language of pages until a person chooses another."""
    region: str = Field(default="RU", pattern=r"^[A-Z]{2}$")
    """ISO 3166 country in which numbers without an international prefix are read."""
    resync_limit_s: float = Field(default=10.0, ge=0.1, le=120)
    """How long calls wait after a start for their PBX to be read, seconds; then they run on unseen."""
    lost_limit_s: float = Field(default=300.0, ge=1, le=3600)
    """How long calls wait for a PBX that is lost while the server runs, seconds: in the gap nothing can be asked of it,
    and what was answered meanwhile is known when it comes back."""
    look_every_s: float = Field(default=30.0, ge=0.2, le=3600)
    """How often the PBX's live calls are compared with ours, seconds: the net under lost reports."""
    reserve_mb: int = Field(default=32, ge=0, le=65536)
    """Room put by beside the journal, MiB, given up when the disk is full so that calls under way still commit. A
    call takes some 8 kB of the journal (433 simulated calls: 3.6 MB), raw payloads come on top, and writing ahead takes
    some 4 MB: 32 carry every call that can be under way to its end, with room to spare. 0: none."""
    drain_on_stop_s: float = Field(default=0.0, ge=0, le=600)
    """How long an orderly stop (SIGTERM) first takes no new calls and waits until nothing rings, seconds. 0: it stops
    at once, because a restart takes up the rings it finds; give 45 where the server will be away longer than a ring."""
    keep_raw: bool = True
    """Keep each report as received, in the vault."""
    log: str = Field(default="json", pattern=r"^(json|text)$")
    """Form of log lines on standard error."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    server: ServerSettings
    telephones: tuple[Telephony, ...]
    secret: str
    """Signs personal links; from the environment."""
    demo: bool = False
    api_token: str = field(default="", repr=False)
    """Opens the JSON API to programs; from the environment. Empty: the API is closed."""
    warnings: tuple[str, ...] = field(default=())


def read_config(path: Path) -> Config:
    """The configuration in a file, its PBXs built but not connected. Raises `Mistakes`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Mistakes([Mistake(str(path), "", "no such file; config/hopline.example.toml shows one")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistakes([Mistake(str(path), "", f"not readable as TOML: {error}")]) from error
    return config_of(document)


def config_of(document: dict[str, Any], *, demo: bool = False) -> Config:
    """The configuration in a parsed document. Raises `Mistakes`."""
    mistakes = [
        Mistake(key, "…", "unknown table; known are [server] and [pbx.<name>]")
        for key in document
        if key not in ("server", "pbx")
    ]
    server = _read(ServerSettings, document.get("server", {}), "server", mistakes)
    secret = _secret(mistakes)
    token = _api_token(mistakes)
    sections = document.get("pbx", {})
    telephones: list[Telephony] = []
    if not isinstance(sections, dict) or not sections:
        mistakes.append(
            Mistake("pbx", sections, "describe at least one PBX in a table [pbx.<name>] (or run `hopline demo`)")
        )
        sections = {}
    for name, section in sections.items():
        built = _telephone(name, section, server, mistakes)
        if built is not None:
            telephones.append(built)
    if mistakes or server is None:
        raise Mistakes(mistakes)
    return Config(server, tuple(telephones), secret, demo, token)


def adapters() -> dict[str, Adapter]:
    """Kind -> telephony adapter, of all that are installed."""
    found: dict[str, Adapter] = {}
    for point in entry_points(group="hopline.telephony"):
        adapter = point.load()
        found[adapter.kind] = adapter
    return found


def _telephone(name: str, section: Any, server: ServerSettings | None, mistakes: list[Mistake]) -> Telephony | None:
    where = f"pbx.{name}"
    if not isinstance(section, dict) or not name.replace("-", "").replace("_", "").isalnum():
        mistakes.append(Mistake(where, section, "write a table; its name is made of letters, digits, dashes"))
        return None
    known = adapters()
    kind = section.get("kind")
    adapter = known.get(str(kind))
    if adapter is None:
        mistakes.append(Mistake(f"{where}.kind", kind, f"choose one of {', '.join(sorted(known))}"))
        return None
    if adapter.port_version != PORT_VERSION:
        remedy = f"made for version {adapter.port_version} of the port, this server speaks {PORT_VERSION}: update it"
        mistakes.append(Mistake(f"{where}.kind", kind, remedy))
        return None
    given = {key: value for key, value in section.items() if key != "kind"}
    settings = _read(adapter.config, _with_data(given, adapter.config, server, name), where, mistakes)
    if settings is None:
        return None
    try:
        return adapter.build(name, settings)
    except Mistakes as more:
        mistakes.extend(more.mistakes)
        return None


def _with_data(given: dict[str, Any], kind: type[Any], server: ServerSettings | None, name: str) -> dict[str, Any]:
    """An adapter that keeps a position between runs keeps it in the data folder unless told otherwise."""
    if server is not None and "fallback_position" in kind.model_fields and "fallback_position" not in given:
        return {**given, "fallback_position": server.data / f"{name}.fallback-position.json"}
    return given


def _read(kind: type[Any], given: Any, where: str, mistakes: list[Mistake]) -> Any:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            key = ".".join([where, *(str(part) for part in entry["loc"])])
            remedy = entry["msg"]
            if entry["type"] == "extra_forbidden":
                remedy = f"unknown setting; known are {', '.join(sorted(kind.model_fields))}"
            mistakes.append(Mistake(key, entry.get("input"), remedy))
        return None


def _secret(mistakes: list[Mistake]) -> str:
    secret = os.environ.get(SECRET_VARIABLE, "")
    if len(secret) < SECRET_LENGTH:
        remedy = (
            f"set it in the environment to at least {SECRET_LENGTH} random characters, for example the output of "
            "`openssl rand -hex 32`; keep it: personal links are signed with it"
        )
        mistakes.append(Mistake(SECRET_VARIABLE, "***" if secret else "", remedy))
    return secret


def _api_token(mistakes: list[Mistake]) -> str:
    token = os.environ.get(API_TOKEN_VARIABLE, "")
    if token and (len(token) < SECRET_LENGTH or not token.isascii() or any(letter.isspace() for letter in token)):
        remedy = (
            f"set it to at least {SECRET_LENGTH} random characters without spaces, for example the output of "
            "`openssl rand -hex 32`; or leave it out, then the API is closed"
        )
        mistakes.append(Mistake(API_TOKEN_VARIABLE, "***", remedy))
    return token
