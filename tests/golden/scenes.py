"""The calls of the golden log: one play in which every state, event, effect and outcome occurs.

Change it only together with a new version of the machine: the log of an old version is never written again.
"""

from router.basis.machine import ClockStepped, EffectAside, EffectDropped, Nudged
from router.chains.events import (
    Announced,
    CallClosed,
    Disposition,
    FallbackOrdered,
    FallbackServed,
    FallbackTook,
    HeadFreed,
    LegAsked,
    LegEnded,
    LegRinging,
    LineSeen,
    Party,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
    SaidAway,
    SaidHere,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.chains.roster import ROSTER
from router.engine.line import LINE as LINE_OF_TIME
from tests.stories.play import Play, office
from tests.stories.stage import LINE, T0, Stage


def acts() -> list[Stage]:
    """Nine companies (what terms, abilities and orders decide), a dozen calls and a half."""
    plays = (_a_day, _a_pbx_with_timers, _no_limit, _late, _group, _adviser, _witness, _passed_on, _ordered)
    return [play().stage for play in plays]


def _a_day() -> Play:
    play = office("anna boris clara", wrap_up_s=15)
    # The third answers; verdict and correction; the pause after the talk.
    play.calls("answered").rings("anna").until(8).stops("anna").rings("boris").waits(2.2).declines("boris").rings(
        "clara"
    )
    play.fact(LegAsked("answered.h3")).waits(3).answers("clara").connects("clara").until(20).looks()
    play.talk_confirmed("clara").until(79).waits(2).looks().talk_confirmed("clara")
    # Everybody else: one unreachable, one away, one in that talk; the caller waits and leaves.
    play.goes_away("boris", until=101).calls("left").rings("anna").ends("anna", Disposition.UNREACHABLE)
    play.fact(Nudged("overdue"), "auditor").waits(2).hangs_up()
    # One waits and is granted the head who is freed.
    play.calls("granted").rings("anna").answers("anna").connects("anna").talks("anna").calls("waited").waits(1)
    play.on("granted").talk_ends(Party.HEAD).releases().stops("anna").hangs_up()
    play.on("answered").marks("clara", "spam").talk_ends(Party.CALLER).releases().stops("clara").hangs_up()
    play.marks("clara", "real").until(99.5).on("waited").rings("clara")
    # A fact takes the head away; contradicting evidence; a connection that the PBX refuses; the PBX takes him itself.
    play.calls("seized").rings("anna").fact(TalkStarted("foreign", "103")).stops("anna").fact(TalkStarted("f2", "777"))
    play.on("waited").stops("clara").rings("anna").device("clara", reachable=False).device("clara", reachable=True)
    play.presses_take("anna").presses_take("zoe").answers("anna").connects("anna")
    play.fact(EffectAside("pbx/call/waited/connect", "leg_was_stopped"), "outbox").stops("anna").rings("anna")
    play.fact(FallbackTook()).stops("anna").waits(2).record("9")
    play.on("seized").talk_ends().releases().hangs_up()
    # Nobody: the fallback takes him, and its record says so; then a proof that comes late.
    play.goes_away("anna").goes_away("boris").goes_away("clara").calls("fallback").hands_over().fallback_took().record()
    play.on("fallback").talks("anna").closes_callback("anna")
    play.on("left").owes().closes_callback("boris", "called_back").closes_callback("clara")
    # Strangers and records of calls never seen.
    play.on("strange").fact(LegRinging("x")).on("stranger").fact(TalkEnded(Party.HEAD)).releases().calls("stranger")
    play.on("gone").hangs_up().calls("gone").on("record").fact(FallbackServed(LINE, None, T0, "", 0, "no_server"))
    play.on("confirmed").fact(TalkConfirmed("y", "102")).waits(60).looks().hangs_up()
    play.calls("unknown").hands_over()
    return play.comes_back("anna").waits(4000)


def _passed_on() -> Play:
    """Hold, transfers of every kind and outcome; recordings."""
    play = office(
        "anna boris clara", record="talk", announcement="sound:told", after_window="release", returning_first=False
    )
    play.calls("held").rings("anna").answers("anna").connects("anna").talks("anna").announces("sound:told")
    play.fact(Announced(ok=True)).records().fact(RecordingStarted("hopline-held")).held("anna").waits(2).resumed("anna")
    play.passes("boris").stops("anna").waits(3).takes("boris").passes_after_asking("clara", "x2").stops_leg("x1")
    play.marks("clara", "real").talk_ends(Party.HEAD).releases().stops_leg("x2").fetches().hangs_up()
    play.fact(RecordingFinished("hopline-held", 6000)).fetches().fact(RecordingKept("hopline-held", 96_044))
    play.calls("lost").rings("anna").answers("anna").connects("anna").talks("anna").announces("sound:told")
    play.fact(Announced(ok=False)).passes("boris").stops("anna").passes("clara", "x3").stops_leg("x1").waits(1)
    play.foreign_leg_ends("x3").releases("no_answer").hangs_up().owes()
    play.calls("left").rings("anna").answers("anna").connects("anna").talks("anna").announces("sound:told")
    play.fact(EffectDropped("pbx/call/left/record", "stale"), "outbox")
    play.fact(TalkTransferred(Transfer.BLIND, "x4", "", "t_outside")).stops("anna").hangs_up().stops_leg("x4")
    play.calls("refused").rings("anna").answers("anna").connects("anna").talks("anna").announces("sound:told")
    play.fact(Announced(ok=True)).records().fact(RecordingFailed("hopline-refused", "pbx_refused_500"))
    play.passes("boris", "x5", Transfer.UNKNOWN).stops("anna").hangs_up().stops_leg("x5")
    play.calls("late").rings("anna").answers("anna").connects("anna").talks("anna").announces("sound:told")
    return play.hangs_up().stops("anna").passes_after_asking("clara", "x6").waits(40)


def _a_pbx_with_timers() -> Play:
    play = office("anna boris", timers="pbx", after_window="release", on_list_end="stop")
    play.calls("nobody").rings("anna").until(8).rings("boris").until(16).releases().hangs_up()
    play.stage.toy.silent = {"101"}
    play.calls("silent").rings("anna").waits(2).stops("anna").rings("boris").hangs_up().stops("boris")
    play.stage.outbox.block("pbx:pbx")
    play.calls("stale").rings("anna").waits(2).stops("anna").rings("boris")
    play.stage.outbox.unblock("pbx:pbx")
    play.waits(8).releases().hangs_up()
    return play


def _no_limit() -> Play:
    play = office("anna", offers_per_person=0)
    play.calls("one").rings("anna").calls("two").rings("anna").answers("anna").connects("anna").talks("anna").waits(1)
    play.ends("anna", Disposition.COMPLETED).releases().talk_ends(Party.HEAD).hangs_up()
    play.on("one").hangs_up().stops("anna")
    return play


def _group() -> Play:
    """Everybody rings; one is in a call of his own; one lets it ring out and is asked, paused, back."""
    play = office("anna boris clara", spread="ring_all", misses_asked=1, order="longest_idle")
    play.stage.admit(ROSTER, LineSeen("103", busy=True))
    play.calls("together").rings("anna").rings("boris").waits(1).declines("boris")
    play.stage.admit(ROSTER, LineSeen("103", busy=False))
    play.rings("clara").waits(3).answers("clara").connects("clara").stops("anna").talks("clara").talk_ends().stops(
        "clara"
    )
    play.releases().hangs_up().calls("out").rings("anna").rings("boris").rings("clara").waits(40).stops("anna").stops(
        "boris"
    ).stops("clara").hands_over().fallback_took().record()
    play.stage.admit(ROSTER, SaidAway("anna"), "person:anna")
    play.stage.admit(ROSTER, SaidHere("boris"), "person:boris")
    play.stage.admit(ROSTER, EffectAside("card/here", "unconfirmed"), "outbox")
    play.calls("again").rings("boris").rings("clara").hangs_up().stops("boris").stops("clara").waits(120)
    play.stage.admit(ROSTER, SaidHere("anna"), "person:anna")
    return play


def _late() -> Play:
    play = office("anna boris")
    play.stage.toy.confirms = False
    play.calls("late").rings("anna").until(8).stops("anna").rings("boris").answers("anna").stops("anna")
    play.presses_take("anna").fact(LegEnded("late.h1", Disposition.CANCELLED)).until(16).stops("boris").rings("anna")
    play.answers("anna").connects("anna").talks("anna").waits(40)
    other = play.talk_ends().releases().stops("anna").hangs_up().ends("anna")
    return other.waits(60)


def _adviser() -> Play:
    play = office("anna boris", timers="pbx", able={"style": "adviser"})
    play.asks(call="advised", origin="q1").phone_rings("anna").asks(origin="q1").until(8).asks("anna").asks("anna")
    play.asks(call="waits").waits(2).asks().on("advised").answers("boris").on("waits").waits(40).asks().record("9")
    play.on("advised").talk_ends(Party.HEAD).ends("boris", Disposition.COMPLETED).hangs_up()
    play.asks(call="silent").waits(700)
    return play


def _witness() -> Play:
    play = office("anna boris", timers="none", able={"style": "witness", "can_look": False})
    play.calls("seen").pbx_rings("101", "w1").pbx_rings("777").pbx_says_over("101", Disposition.BUSY, "w1")
    play.pbx_rings("102").picks_up_at("102").picks_up_at("777").talk_ends(Party.CALLER).hangs_up()
    play.calls("missed").pbx_rings("101").hangs_up().picks_up_at("101", "late")
    return play.waits(60)


def _ordered() -> Play:
    """What people in charge order; the wall clock is set; the server is about to be stopped."""
    play = office("anna boris")
    play.calls("freed").rings("anna").waits(1).fact(HeadFreed("anna", "duty"), "person:duty").stops("anna")
    play.rings("boris").answers("boris").connects("boris").talks("boris").waits(5)
    play.fact(HeadFreed("boris", "chief"), "person:chief").fact(CallClosed("chief", "stuck"), "person:chief")
    play.stops("boris").releases().hangs_up()
    play.calls("sent").rings("boris").fact(FallbackOrdered("duty"), "person:duty").stops("boris").hands_over()
    play.calls("closed").rings("boris").fact(CallClosed("duty", "test"), "person:duty").stops("boris").releases()
    play.goes_away("anna", until=3600)
    play.stage.admit(LINE_OF_TIME, ClockStepped(7_200_000_000, 7_200_000_000), "clock")
    play.stage.office.draining = True
    return play.calls("turned_away").hands_over().fallback_took().record().waits(60)
