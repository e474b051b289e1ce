"""Reads the part of the Dockerfile language that this project uses (Dockerfile reference, docs.docker.com).

Pure: text in, instructions out; `play_dockerfile.py` carries them out. An instruction or flag that is not known here is
refused rather than passed over, because a player that ignores a line proves nothing about it.
"""

import json
import re
import shlex
from dataclasses import dataclass

KNOWN = frozenset({"FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"})


class NotPlayable(Exception):
    """This Dockerfile uses something that the player does not know."""


@dataclass(frozen=True)
class Instruction:
    """One instruction with its `--flag=value` pairs taken off."""

    line: int
    word: str
    flags: dict[str, str]
    rest: str

    def command(self) -> list[str]:
        """The command of RUN or CMD: JSON as it stands, the shell form by way of /bin/sh (reference, Shell)."""
        if self.rest.startswith("["):
            words = json.loads(self.rest)
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise NotPlayable(f"line {self.line}: the JSON form is a list of strings")
            return words
        return ["/bin/sh", "-c", self.rest]

    def words(self) -> list[str]:
        """The arguments of COPY, VOLUME, EXPOSE, USER, WORKDIR, FROM."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)

    def pairs(self) -> dict[str, str]:
        """The pairs of ENV."""
        pairs = dict(word.split("=", 1) for word in shlex.split(self.rest) if "=" in word)
        if len(pairs) != len(shlex.split(self.rest)):
            raise NotPlayable(f"line {self.line}: ENV is written as KEY=value here")
        if any("$" in value for value in pairs.values()):
            raise NotPlayable(f"line {self.line}: ENV without variables, please; the player does not expand them")
        return pairs


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    steps: tuple[Instruction, ...]

    def last(self, word: str) -> Instruction:
        """CMD, HEALTHCHECK, USER: only the last one counts (reference)."""
        found = next((step for step in reversed(self.steps) if step.word == word), None)
        if found is None:
            raise NotPlayable(f"stage {self.name}: there is no {word}")
        return found


def parse(text: str) -> tuple[Stage, ...]:
    """The stages of a Dockerfile, first to last."""
    stages: list[Stage] = []
    for step in _instructions(text):
        if step.word == "FROM":
            base, *naming = step.words()
            name = naming[1] if naming[:1] in (["AS"], ["as"]) else str(len(stages))
            stages.append(Stage(base, name, ()))
        elif not stages:
            raise NotPlayable(f"line {step.line}: {step.word} before FROM")
        else:
            here = stages[-1]
            stages[-1] = Stage(here.base, here.name, (*here.steps, step))
    if not stages:
        raise NotPlayable("there is no FROM")
    return tuple(stages)


def _instructions(text: str) -> list[Instruction]:
    found: list[Instruction] = []
    held, begun = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.lstrip().startswith("#") or (not raw.strip() and not held):
            continue  # a comment inside a continued instruction is dropped, too (reference, "Format")
        begun = begun or number
        held += raw.rstrip().removesuffix("\\") if raw.rstrip().endswith("\\") else raw
        if not raw.rstrip().endswith("\\"):
            found.append(_instruction(begun, held.strip()))
            held, begun = "", 0
    if held:
        raise NotPlayable(f"line {begun}: the last instruction goes on after the end")
    return found


def _instruction(line: int, text: str) -> Instruction:
    word, _, rest = text.partition(" ")
    if word.upper() not in KNOWN:
        raise NotPlayable(f"line {line}: {word} is not known to the player")
    flags: dict[str, str] = {}
    rest = rest.strip()
    while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
        flags[match[1]] = match[2]
        rest = rest[match.end() :]
    if rest.startswith("--"):
        raise NotPlayable(f"line {line}: {rest.split()[0]} is not known to the player")
    return Instruction(line, word.upper(), flags, rest)


def health_command(step: Instruction) -> list[str]:
    """The command inside HEALTHCHECK."""
    return Instruction(step.line, "CMD", {}, step.rest.removeprefix("CMD").strip()).command()
