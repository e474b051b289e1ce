"""A play's journal, decoded as `explain` wants it."""

from router.chains.explain import Told, explain
from router.office import call_chain
from tests.stories.play import Play
from tests.stories.stage import NAMES, PBX


def history(play: Play, call: str = "c1") -> list[Told]:
    """The log of one call, read back from the bytes that were stored."""
    codec, machine = play.stage.core.codec, play.stage.core.machine("call", 1)
    return [
        Told(record.at, codec.event(machine, record.event, 1), codec.seen(machine, record.seen, 1))  # type: ignore[arg-type]
        for record in play.stage.records
        if record.chain == call_chain(PBX, call)
    ]


def russian(play: Play, call: str = "c1") -> list[str]:
    """What a Russian reads."""
    return explain(history(play, call), "ru", NAMES)


def english(play: Play, call: str = "c1") -> list[str]:
    """What others read; ids stand for names."""
    return explain(history(play, call), "en")
