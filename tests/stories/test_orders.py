"""What a PBX cannot do is not ordered."""

import pytest

from router.chains.enquiry import Outcome
from router.chains.events import Disposition
from router.telephony_adapter.port import Abilities
from tests.stories.play import office


def test_a_phone_that_cannot_be_stopped_keeps_its_head_until_it_ends_by_itself() -> None:
    (
        office("anna boris", timers="pbx", able={"can_cancel_leg": False})
        .calls().rings("anna", until=8)
        .waits(2).hangs_up().is_over(Outcome.CALLER_LEFT).asks_nothing().holds("anna")
        .until(8).holds().is_final()  # its own timer
    )  # fmt: skip


def test_a_phone_that_was_picked_up_is_hung_up_all_the_same() -> None:
    (
        office("anna boris", timers="pbx", able={"can_cancel_leg": False})
        .calls().rings("anna", until=8).answers("anna").connects("anna")
        .waits(1).hangs_up().stops("anna", "caller_gone")
    )  # fmt: skip


def test_where_a_ring_takes_the_caller_along_the_phone_before_needs_no_stop() -> None:
    (
        office("anna boris", able={"can_reroute_ringing": True})
        .calls().rings("anna", until=8)
        .until(8).rings("boris", until=16, after=None).holds("anna", "boris").asks_nothing()
        .ends("anna", Disposition.ELSEWHERE).holds("boris")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("able", "says"),
    [
        ({"owns_timer": "none", "style": "adviser"}, "owns_timer = none"),
        ({"owns_timer": "server", "style": "witness"}, "owns_timer = server"),
        ({"owns_timer": "pbx", "can_look": False}, "can_look = false"),
    ],
)
def test_abilities_that_contradict_one_another_are_refused(able: dict[str, object], says: str) -> None:
    rest: dict[str, object] = dict.fromkeys(
        ("whole_second_timer", "can_cancel_leg", "can_connect_late", "reports_ringing", "reports_answerer",
         "idempotent_legs"), True,
    )  # fmt: skip
    with pytest.raises(ValueError, match=says):
        Abilities(**{**rest, **able})  # type: ignore[arg-type]
