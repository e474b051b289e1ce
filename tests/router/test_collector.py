"""What lives as long as a call is out of the cycle collector's sight, so that it never stops the server for long."""

import gc
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from router.chains.call import CallMachine
from router.chains.callback import CallbackMachine
from router.engine.core import Admission, Live
from router.engine.journal import Order, Record

ONCE = {"Directory", "Person", "Line", "Chain", "Plan", "Terms"}
"""Pinned content: one for thousands of calls."""


def structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The struct classes in a type, and those in their fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs(field.type)
    for argument in get_args(kind):
        yield from structs(argument)


@pytest.mark.parametrize("machine", [CallMachine, CallbackMachine])
def test_no_struct_of_a_state_event_or_effect_is_tracked(machine: type[CallMachine | CallbackMachine]) -> None:
    found = {one for kind in (machine.states, machine.events, machine.effects) for one in structs(kind)}
    assert len(found) > 5
    tracked = {one.__name__ for one in found if one.__struct_config__.gc} - ONCE
    assert not tracked, "give these gc=False: see router.collector"


def test_nor_what_the_engine_makes_of_them() -> None:
    assert not any(one.__struct_config__.gc for one in (Admission, Live, Order, Record))
    assert not gc.is_tracked(Admission("call:x:1", None, "test"))  # type: ignore[arg-type]
