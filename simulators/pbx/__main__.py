"""`python -m simulators.pbx`: a played PBX as a process of its own, which outlives the server.

It prints one JSON line when it listens (`{"command_url": …}`) and one when the play is over, and exits with 0; with 3
if the play did not end within `--give-up-s`. The record is written line by line, so it is complete even if killed.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TextIO

from simulators.pbx import scenario
from simulators.pbx.http import PbxServer
from simulators.pbx.record import Entry, Record

GAVE_UP = 3


async def play(arguments: argparse.Namespace, diary: TextIO | None) -> int:
    """Run the play to its end."""

    def write(entry: Entry) -> None:
        if diary is not None:
            diary.write(json.dumps(entry.row(), ensure_ascii=False) + "\n")
            diary.flush()

    script = scenario.read(arguments.script)
    board = scenario.board(script, record=Record(write))
    secret = os.environ[arguments.secrets_env]
    async with PbxServer(board, server_url=arguments.server_url, secret=secret, port=arguments.port) as pbx:
        say(listening=True, command_url=pbx.command_url)
        scenario.schedule(script, board, pbx.now())
        pbx.moved()
        over = pbx.until(lambda: scenario.over(script, board) and not pbx.post.undelivered())
        try:
            await asyncio.wait_for(over, arguments.give_up_s)
        except TimeoutError:
            live = [story.call for story in board.record.stories.values() if story.end is None]
            say(over=False, live=live, undelivered=pbx.post.undelivered())
            return GAVE_UP
        say(over=True, calls=len(board.record.stories), ends=[story.end for story in board.record.stories.values()])
        return 0


def say(**what: object) -> None:
    """One line for whoever started us."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(prog="python -m simulators.pbx", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="port for commands; 0: a free one, told in the first line")
    parser.add_argument("--server-url", required=True, help="where facts are told: http://…/webhooks/pbx/<name>")
    parser.add_argument("--script", type=Path, required=True, help="the play: see simulators/pbx/scenario.py")
    parser.add_argument("--record", type=Path, help="JSONL file for the PBX's own record")
    parser.add_argument("--secrets-env", default="HOPLINE_PBX_WEBHOOK_SECRETS", help="environment variable")
    parser.add_argument("--give-up-s", type=float, default=600.0, help="end with status 3 after this many seconds")
    arguments = parser.parse_args()
    if not os.environ.get(arguments.secrets_env):
        parser.error(f"set {arguments.secrets_env} to the secret shared with the server (whsec_…)")
    if arguments.record is None:
        return asyncio.run(play(arguments, None))
    with arguments.record.open("w", encoding="utf-8") as diary:
        return asyncio.run(play(arguments, diary))


if __name__ == "__main__":
    sys.exit(main())
