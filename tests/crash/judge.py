"""What must be true after a case. Reads the PBX's record and the journal; returns complaints, best none at all."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from router.basis.instants import Instant
from router.basis.machine import EffectDropped
from router.chains.call_states import Ended
from router.chains.delivery import Keys
from router.chains.effects import RingLeg, ShowCard
from router.reports import audit_journal, opened, replay_chains
from tests.crash.case import Left
from tests.crash.company import HEADS, PBX
from tests.crash.plays import CALL, Row

CHAIN, ENTRY = f"call:{PBX}:{CALL}", f"callback:{PBX}:{CALL}"
TROUBLES = ("admission_failed", "effect_crashed", "audit_finding", "Traceback", "report_not_taken")
"""Lines of a server's log that must not be there."""

ENDS: dict[str, tuple[str, str, int]] = {
    "nobody": ("fallback_missed", "fallback_unanswered", 1),
    "third": ("answered", "talked", 0),
    "hangs_up": ("caller_left", "caller_left", 1),
    "served": ("fallback_served", "fallback_answered", 0),
    "unserved": ("fallback_missed", "fallback_unanswered", 1),
}
"""Play -> outcome in the journal, end on the PBX, open call-backs."""

CARDS: dict[str, set[tuple[str, str, str]]] = {
    "nobody": {(f"{ENTRY}/entry", "duty", "callback_open")},
    "third": {(f"{CHAIN}/verdict", "person:vera", "verdict_asked")},
    "hangs_up": {(f"{ENTRY}/entry", "duty", "callback_open")},
    "served": set(),
    "unserved": {(f"{ENTRY}/entry", "duty", "callback_open")},
}
"""Play -> id, audience and code of the cards that people have in the end."""

SENT_WITHIN = 500_000
"""Microseconds in which a server that has read the PBX sends what is still useful."""

TALKERS = {"third": "103"}


@dataclass(slots=True)
class Journal:
    """The journal as it stands."""

    ended: Ended | None = None
    rings: list[tuple[RingLeg, Instant]] = field(default_factory=list)
    """Each ring that was ordered, and when."""
    dropped: dict[str, tuple[str, Instant]] = field(default_factory=dict)
    """Effect key -> why it was not sent, and when that was noted."""
    cards: dict[str, int] = field(default_factory=dict)
    """Card -> newest revision ordered."""
    shown: list[tuple[str, str, int, str]] = field(default_factory=list)
    """Rows of the inbox: card, audience, revision, code."""
    origins: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    """Rows of tables that must be empty."""
    problems: list[str] = field(default_factory=list)
    """What audit and replay found."""
    audited: Counter[str] = field(default_factory=Counter)


async def read(left: Left) -> Journal:
    """Everything about the one call."""
    data, found = left.home / "data", Journal()
    async with opened(data) as (core, reading):
        async for chain in reading.chains():
            machine = core.machine(chain.kind, chain.machine_version)
            if chain.chain == CHAIN:
                state = core.codec.state(machine, chain.state, chain.schema)
                found.ended = state if isinstance(state, Ended) else None
            for record in await reading.history(chain.chain):
                found.origins.update([record.origin] if record.origin else [])
                event = core.codec.event(machine, record.event, record.schema)
                if isinstance(event, EffectDropped):
                    found.dropped[event.key] = (event.reason, record.at)
                for effect in core.codec.effects(machine, record.outcome, record.schema):
                    if isinstance(effect, RingLeg):
                        found.rings.append((effect, record.at))
                    elif isinstance(effect, ShowCard):
                        found.cards[effect.card] = max(effect.revision, found.cards.get(effect.card, 0))
    with closing(sqlite3.connect(f"file:{data / 'hopline.db'}?mode=ro", uri=True)) as tables:
        cards = tables.execute("SELECT card, audience, revision, json_extract(face, '$.code') FROM inbox_card")
        found.shown = cards.fetchall()
        for table in ("outbox", "claim", "quarantine"):
            (found.counts[table],) = tables.execute(f"SELECT count(*) FROM {table}").fetchone()
    audited = await audit_journal(data)
    found.audited = audited.counts
    replayed = await replay_chains(data, "", check=True)
    found.problems = [*audited.problems, *map(str, replayed["differences"])]
    return found


async def complaints(left: Left) -> list[str]:
    """All that is wrong with what was left behind."""
    journal = await read(left)
    said = [f"the log says {line}" for life in left.lives for line in life if any(word in line for word in TROUBLES)]
    said += [f"{table} has {rows} rows" for table, rows in journal.counts.items() if rows]
    said += journal.problems
    said += [f"exit code {left.stopped} after SIGTERM"] if left.stopped != 0 else []
    said += [f"{origin} was admitted {times} times" for origin, times in journal.origins.items() if times > 1]
    told = {row["fact"] for row in left.rows if row["what"] == "delivered"}
    said += [f"{fact} was taken but is not in the log" for fact in told - set(journal.origins)]
    skipped, missing = _skipped(left, journal)
    return [*said, *missing, *_rings(left, journal, skipped), *_end(left, journal, skipped), *_cards(left, journal)]


async def stale(left: Left) -> int:
    """Rings that came too late to be sent: lawful where the restart was slow."""
    return len(_skipped(left, await read(left))[0])


def _skipped(left: Left, journal: Journal) -> tuple[set[str], list[str]]:
    """Legs that were never rung because the restart came too late; and complaints about those that were not late."""
    rung = {row["leg"] for row in left.rows if row["what"] == "ordered"}
    gone = next((row["at_us"] for row in left.rows if row["what"] == "call_ended"), 0)
    skipped: set[str] = set()
    wrong: list[str] = []
    for ring, ordered in journal.rings:
        if ring.leg in rung or ordered >= gone:
            continue
        why, noted = journal.dropped.get(Keys.leg(PBX, ring.leg), ("", Instant(0)))
        # Dropped as stale, or overtaken by the stop that the machine sent behind it; no word if it was never tried.
        in_time = [at for at in _sights(left) if ordered < at < ring.best_before - SENT_WITHIN]
        if noted > ring.best_before and not in_time:
            skipped.add(ring.leg)
        elif gone > ring.best_before or why:
            wrong.append(
                f"{ring.leg} was never rung ({why or 'no word why'}), in sight {in_time}, until {ring.best_before}"
            )
    return skipped, wrong


def _sights(left: Left) -> list[int]:
    """When a server had read the PBX, microseconds."""
    lines = [json.loads(line) for life in left.lives for line in life if '"pbx_sight"' in line]
    return [
        round(datetime.fromisoformat(line["timestamp"]).timestamp() * 1_000_000) for line in lines if line["visible"]
    ]


def _rings(left: Left, journal: Journal, skipped: set[str]) -> list[str]:
    """Each leg once, each head once and in the order of the list, one phone at a time."""
    said: list[str] = []
    ordered = [row for row in left.rows if row["what"] == "ordered"]
    for what in ("leg", "extension"):
        twice = [name for name, times in Counter(row[what] for row in ordered).items() if times > 1]
        said += [f"{what} {name} was rung twice" for name in twice]
    said += [f"{leg} rang twice" for leg, times in _times(left.rows, "ringing").items() if times > 1]
    expected = [ring.extension for ring, _ in journal.rings if ring.leg in {row["leg"] for row in ordered}]
    if [row["extension"] for row in ordered] != expected:
        said.append(f"rung {[row['extension'] for row in ordered]}, in the journal {expected}")
    heads = list(HEADS.values())
    if [ring.extension for ring, _ in journal.rings] != heads[: len(journal.rings)]:
        said.append(f"the list was not kept: {[ring.extension for ring, _ in journal.rings]}")
    said += _overlaps(left.rows)
    return said


def _times(rows: list[Row], what: str) -> Counter[str]:
    return Counter(row["leg"] for row in rows if row["what"] == what)


def _overlaps(rows: list[Row]) -> list[str]:
    live: set[str] = set()
    said: list[str] = []
    for row in rows:
        if row["what"] == "ringing":
            said += [f"{row['leg']} rings beside {other}" for other in live]
            live.add(row["leg"])
        elif row["what"] == "leg_ended":
            live.discard(row["leg"])
    return said


def _end(left: Left, journal: Journal, skipped: set[str]) -> list[str]:
    """The caller got what the play has for him."""
    outcome, end, entries = ENDS[left.play]
    ended = [row for row in left.rows if row["what"] == "call_ended" and row.get("call") == CALL]
    if journal.ended is None or len(ended) != 1:
        return [f"the call is not over: {journal.ended}, {ended}"]
    if left.play == "third" and f"{CALL}.h3" in skipped:
        return []  # nobody else answers in this play
    said: list[str] = []
    if (journal.ended.end.outcome.value, ended[0]["end"]) != (outcome, end):
        said.append(f"ended as {journal.ended.end.outcome.value} / {ended[0]['end']}, not {outcome} / {end}")
    if journal.audited["callback_open"] != entries:
        said.append(f"{journal.audited['callback_open']} call-backs are open, not {entries}")
    talks = [row["extension"] for row in left.rows if row["what"] == "talk_began"]
    if talks != ([TALKERS[left.play]] if left.play in TALKERS else []):
        said.append(f"talks: {talks}")
    if left.play == "nobody" and len(journal.rings) != len(HEADS):
        said.append(f"only {len(journal.rings)} heads were offered the call")
    return said


def _cards(left: Left, journal: Journal) -> list[str]:
    """One row for each card, the newest revision, and no card besides."""
    said: list[str] = []
    cards = {(card, audience, code) for card, audience, _, code in journal.shown}
    if cards != CARDS[left.play]:
        said.append(f"cards {sorted(cards)}")
    revisions: dict[str, Any] = {card: revision for card, _, revision, _ in journal.shown}
    if revisions != journal.cards:
        said.append(f"revisions shown {revisions}, ordered {journal.cards}")
    return said
