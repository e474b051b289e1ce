"""Tokens, restarts and the fold of the log, on stories of the second machine."""

from router.basis.machine import Granted
from router.engine.core import Admission
from router.engine.replay import replay
from tests.engine.approval import Booking, ClerkAnswered, ClerkSeenWorking, Filed, ManagerAnswered, Withdrawn
from tests.engine.bench import Bench, holders, request, snapshot
from tests.engine.ledger import LEDGER
from tests.engine.values import ANNA, BORIS, CLARA, Terms

ONE_CLERK = Terms(clerks=(ANNA,))


def test_a_name_becomes_a_token_and_stays_one() -> None:
    bench = Bench()
    for name in ("a", "b"):
        bench.admit(Admission(request(name), bench.filed(name), "test", personal={"asker": ("name", "Иван Петров")}))
    assert bench.state("a").asker == bench.state("b").asker == "t_1"
    assert all("Иван".encode() not in line.event for line in bench.log())
    assert bench.journal.tokens([("name", "Иван Петров")]) == {("name", "Иван Петров"): "t_1"}


def test_another_process_goes_on_where_this_one_ended() -> None:
    bench = Bench()
    for name in ("a", "b", "c", "d"):
        bench.file(name)
    bench.say(request("a"), ClerkAnswered(ANNA, True))  # the key goes to c
    bench.wait(70)
    before = snapshot(bench.core)
    bench = bench.restart()
    after = snapshot(bench.core)
    assert {**after, "vault": before["vault"]} == before
    assert bench.state("c").terms.value == Terms()
    bench.wait(900)
    assert {bench.state(name).how for name in "abcd"} == {"expired"}


def test_the_log_folds_to_the_same_bytes() -> None:
    bench = Bench()
    for name in ("a", "b", "c", "d"):
        bench.file(name, shy=1 if name == "d" else 0)
    bench.say(request("a"), ClerkAnswered(ANNA, True), ManagerAnswered(True))
    bench.say(request("d"), ClerkSeenWorking(BORIS))
    bench.wait(1_000)
    core = bench.restart().core
    assert len(bench.log()) > 20
    for stored in bench.journal.load([request(name) for name in "abcd"] + [LEDGER]):
        assert replay(core, bench.history(stored.chain), stored).differences == ()


def test_replay_sees_a_changed_behaviour_and_a_lost_line() -> None:
    bench = Bench()
    bench.file("a")
    bench.wait(200)
    lines = bench.history(request("a"))
    (stored,) = bench.journal.load([request("a")])
    assert [d.what for d in replay(bench.core, [lines[0], *lines[2:]], stored).differences] == ["sequence"]
    other = bench.core.codec.encode(bench.filed("a", 101))
    changed = [type(lines[0])(**{f: getattr(lines[0], f) for f in lines[0].__slots__} | {"event": other}), *lines[1:]]
    assert [d.what for d in replay(bench.core, changed, stored).differences] == ["state"]
    blind = [type(lines[0])(**{f: getattr(lines[0], f) for f in lines[0].__slots__} | {"seen": b'{"type":"Free"}'})]
    assert [d.what for d in replay(bench.core, blind).differences] == ["outcome"]


def test_grants_and_losses_are_events_of_the_log() -> None:
    bench = Bench()
    bench.file("a", terms=ONE_CLERK)
    bench.file("b", terms=ONE_CLERK)
    bench.say(request("a"), Withdrawn())
    (line,) = [line for line in bench.history(request("b")) if line.source == "claims"]
    assert line.event == bench.core.codec.encode(Granted(ANNA))


def test_a_booking_waits_for_the_ledger_with_a_named_reason() -> None:
    bench = Bench()
    bench.file("a")
    bench.say(request("a"), ClerkAnswered(ANNA, True))
    live = bench.core.live[request("a")]
    paper = {name: getattr(live.state, name) for name in Booking.__struct_fields__}
    standing = live.machine.standing(Booking(**paper))
    assert (standing.final, standing.reason) == (False, "the ledger answers")
    assert live.machine.deadline(Booking(**paper)) is None


def test_a_third_clerk_is_asked_only_where_the_terms_name_him() -> None:
    bench = Bench()
    bench.file("a", terms=Terms(clerks=(CLARA,)))
    bench.file("b")
    assert holders(bench.core) == {CLARA: request("a"), ANNA: request("b")}
    assert isinstance(bench.filed("x"), Filed)
