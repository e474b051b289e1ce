"""A real Asterisk with SIPp phones and callers, judged by a capture. Needs root and `scripts/asterisk/install.sh`.

    from tests.e2e.asterisk.rig import Rig, Rules, answers, busy, talks

    with Rig(heads=5) as rig:                        # heads 101..105, own ports: rigs run side by side
        rig.all_heads()                              # phones that ring and never answer
        rig.head(102, busy())                        # behaviour may be changed at any time
        rig.head(103, answers(after_ms=3000))
        rig.line("9101", HOPLINE_APP="my-app")       # settings of the shipped dialplan for one line 9xxx
        ...                                          # rig.asterisk.ari.url, .user, .password: for the server under test
        call = rig.call("9101", script=talks(talk_ms=1000))
        call.wait()                                  # the caller has hung up, or was released
        verdict = rig.verdict(Rules(order=("101", "102", "103")), callers=call.numbers)
        assert not verdict.anomalies, verdict
        seen = verdict.call(call.numbers[0])         # seen.legs[0].offered_s, seen.gaps_ms, seen.window_s, seen.final
        rig.wait_until_idle()                        # no channel, no bridge is left

Lines: 9xxx the shipped dialplan; 8GXX a linear queue and 7GXX a chain of Dial() over the G-th five heads, to measure
against; more in `templates/extensions.conf`. Several tests may share one rig when they use different heads, lines and
callers: `rig.verdict(callers=..., heads=...)` looks only at theirs. The fixture `rig` of the folder above is one.
"""

from tests.e2e.asterisk.rig.application import Application
from tests.e2e.asterisk.rig.asterisk import Asterisk, Head
from tests.e2e.asterisk.rig.calls import Call, HeadLeg
from tests.e2e.asterisk.rig.judge import Anomaly, Rules, Verdict, judge, review
from tests.e2e.asterisk.rig.missing import MissingError, what_is_missing
from tests.e2e.asterisk.rig.packets import read_packets, read_sip
from tests.e2e.asterisk.rig.rig import Rig
from tests.e2e.asterisk.rig.scripts import (
    CallerScript,
    HeadScript,
    absent,
    answers,
    busy,
    cancels,
    declines,
    never_answers,
    refuses,
    silent,
    talks,
    unavailable,
    waits,
)
from tests.e2e.asterisk.rig.sipp import Dialled

__all__ = [
    "Anomaly", "Application", "Asterisk", "Call", "CallerScript", "Dialled", "Head", "HeadLeg", "HeadScript",
    "MissingError", "Rig", "Rules", "Verdict", "absent", "answers", "busy", "cancels", "declines", "judge",
    "never_answers", "read_packets", "read_sip", "refuses", "review", "silent", "talks",
    "unavailable", "waits", "what_is_missing",
]  # fmt: skip
