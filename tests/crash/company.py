"""Five heads on one list, with terms short enough to wait for and long enough to restart in."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

PBX = "office"
LINE, CALLER = "+74950000001", "+79990001122"
HEADS = {"anna": "101", "boris": "102", "vera": "103", "gleb": "104", "darya": "105"}

RING_S = 8
MIN_OFFER_S = 1
"""A ring is useful until ring - min_offer = 7 s after its order; a restart takes about a second of processor."""

PEOPLE = "\n".join(
    [
        *(f'[[person]]\nid = "{head}"\nname = "{head.title()}"\nextensions = ["{ext}"]' for head, ext in HEADS.items()),
        f'[[line]]\nnumber = "{LINE}"\nchain = "sales"\nchannel = "search"',
        f"[chain.sales]\nheads = {json.dumps(list(HEADS))}",
        # Room for the time that a dead server costs; nobody is rung twice in one call, so a second ring is a mistake.
        f'[chain.sales.terms]\nring_s = {RING_S}\nmin_offer_s = {MIN_OFFER_S}\nwindow_s = 90\non_list_end = "stop"',
        # Slow machines report late that a phone rings; what follows from silence is not the subject here.
        "no_ringing_after_s = 0",
        "",
    ]
)

SHARED_SECRET = "whsec_" + base64.b64encode(b"crash suite, both sides of it...").decode()
ENVIRONMENT = {"HOPLINE_SECRET": "0123456789abcdef" * 2, f"HOPLINE_PBX_{PBX.upper()}_SECRETS": SHARED_SECRET}


def configuration(home: Path, port: int, pbx_port: int, **server: object) -> Path:
    """`hopline.toml` of an office in this folder."""
    settings = {"port": port, "data": str(home / "data"), "public_url": f"http://127.0.0.1:{port}", "reserve_mb": 1}
    settings |= server
    lines = ["[server]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
    lines += [f"[pbx.{PBX}]", 'kind = "webhook"', f'command_url = "http://127.0.0.1:{pbx_port}/commands"']
    # The PBX is started after the server and is to be seen soon; one that a test freezes is not to be given up.
    lines += ["look_every_s = 0.5", "lost_after = 100"]
    path = home / "hopline.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every child gets; nothing of ours leaks in by `HOPLINE_…` variables of the developer's shell."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HOPLINE_")}
    return {**own, **ENVIRONMENT, **(more or {})}


async def hopline(*arguments: str | Path, within_s: float = 120.0) -> tuple[int, str, str]:
    """A command to its end: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "router", *map(str, arguments),
        env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, errors = await asyncio.wait_for(process.communicate(), within_s)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def apply_people(home: Path) -> None:
    """The directory into the journal of an office that no server runs on."""
    people = home / "people.toml"
    people.write_text(PEOPLE, encoding="utf-8")
    code, output, errors = await hopline("apply", people, "--data", home / "data")
    assert code == 0, output + errors
