"""The calls of the golden log: one play in which every state, event, effect and outcome occurs.

Change it only together with a new version of the machine: the log of an old version is never written again.
"""

from router.basis.machine import EffectAside, EffectDropped, Nudged
from router.chains.events import (
    Announced,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAsked,
    LegEnded,
    LegRinging,
    Party,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from tests.stories.play import Play, office
from tests.stories.stage import LINE, T0, Stage


def acts() -> list[Stage]:
    """Five companies (what terms and abilities decide), a dozen calls."""
    return [_a_day().stage, _a_pbx_with_timers().stage, _no_limit().stage, _late().stage, _passed_on().stage]


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
    play = office("anna boris clara", record="talk", announcement="sound:told", after_window="release")
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


def _late() -> Play:
    play = office("anna boris")
    play.stage.toy.confirms = False
    play.calls("late").rings("anna").until(8).stops("anna").rings("boris").answers("anna").stops("anna")
    play.presses_take("anna").fact(LegEnded("late.h1", Disposition.CANCELLED)).until(16).stops("boris").rings("anna")
    play.answers("anna").connects("anna").talks("anna").waits(40)
    other = play.talk_ends().releases().stops("anna").hangs_up().ends("anna")
    return other.waits(60)
