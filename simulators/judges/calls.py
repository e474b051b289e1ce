"""Judges of what became of the calls: conservation, call-backs, who answered."""

from router.basis.instants import Instant
from router.chains.call_states import Ended
from router.chains.callback import Closed, Open
from router.chains.enquiry import MISSED, Outcome
from simulators.company import OWNERS, PBX
from simulators.judges.evidence import Checker, Evidence, call_chain
from simulators.pbx import Story
from simulators.reading import Reading


class Conservation(Checker):
    """Law 9."""

    name = "conservation"

    def __init__(self, world: Evidence) -> None:
        super().__init__(world)
        self.unaccounted: list[str] = []
        self.answered = 0

    def judge(self, reading: Reading) -> None:
        """Every call of the PBX's record."""
        stories = self.world.record.stories
        for story in stories.values():
            self._judge_call(story, reading)
        for chain in reading.states:
            if chain.startswith("call:") and chain.removeprefix(f"call:{PBX}:") not in stories:
                self.blame(chain, "the PBX never had this call")

    def _judge_call(self, story: Story, reading: Reading) -> None:
        chain = call_chain(story.call)
        state = reading.states.get(chain)
        if state is None:
            self.unaccounted.append(story.call)
            return
        if not isinstance(state, Ended):
            if story.ended is not None:
                self.unaccounted.append(story.call)
            return
        outcome = state.end.outcome
        self.answered += outcome is Outcome.ANSWERED
        if outcome in MISSED and f"callback:{PBX}:{story.call}" not in reading.states:
            self.unaccounted.append(story.call)
        allowed = _lawful_ends(story, exact=self.world.tolerance.exact)
        if outcome not in allowed:
            self.blame(chain, f"ended {outcome}, the PBX says {story.end}")


def _lawful_ends(story: Story, *, exact: bool) -> frozenset[Outcome]:
    """What the journal may say of a call that the PBX saw end like this."""
    if story.talks:
        # Where facts are lost for good, a talk nobody reported can be thought missed: then a call-back is owed.
        return frozenset({Outcome.ANSWERED}) if exact else MISSED | {Outcome.ANSWERED}
    if story.end == "fallback_answered":
        return frozenset({Outcome.FALLBACK_SERVED}) if exact else MISSED | {Outcome.FALLBACK_SERVED}
    if story.end == "caller_left":
        return frozenset({Outcome.CALLER_LEFT, Outcome.NOBODY, Outcome.FALLBACK_UNKNOWN, Outcome.INCOMPLETE})
    if story.end == "released":
        return frozenset({Outcome.NOBODY, Outcome.CALLER_LEFT}) if exact else MISSED
    return frozenset({Outcome.FALLBACK_MISSED}) if exact else MISSED


class CallBacks(Checker):
    """A missed call is owed a call-back, an answered one is not."""

    name = "call_backs"

    def judge(self, reading: Reading) -> None:
        """Every call of the journal."""
        for chain, state in reading.states.items():
            if not isinstance(state, Ended):
                continue
            entry = reading.states.get(chain.replace("call:", "callback:", 1))
            if state.end.outcome in MISSED:
                if not isinstance(entry, Open | Closed):
                    self.blame(chain, f"{state.end.outcome}, and no call-back is owed")
                elif isinstance(entry, Closed) and entry.reason == "answered":
                    self.blame(chain, "its call-back was closed as answered")
            elif isinstance(entry, Open):
                self.blame(chain, f"{state.end.outcome}, and its call-back is open")


class Answerer(Checker):
    """Law 10: who answered is evidence, never a guess."""

    name = "answerer"

    def judge(self, reading: Reading) -> None:
        """Every call that was answered."""
        for story in self.world.record.stories.values():
            state = reading.states.get(call_chain(story.call))
            if not isinstance(state, Ended) or state.end.outcome is not Outcome.ANSWERED:
                continue
            end = state.end
            talked = {OWNERS.get(talk.extension, "") for talk in story.talks}
            named = {end.person, *end.others} - {""}
            if not named <= talked:
                self.blame(story.call, f"{sorted(named)} answered, the PBX says {sorted(talked)}")
            elif not named and self.world.tolerance.exact and talked - {""} and end.talk_from is not None:
                self.blame(story.call, f"answered by nobody known, the PBX says {sorted(talked)}")
            if story.talks and end.talk_from is not None:
                self._judge_times(story, end.talk_from, end.at)

    def _judge_times(self, story: Story, began: Instant, ended: Instant) -> None:
        talk = story.talks[-1]
        late = began - talk.began
        # Early: where nobody told of the talk, it counts from the picking up, which was told.
        if self.beyond("talk", late, talk.began, began) or self.beyond("talk", -late, began, talk.began):
            self.blame(story.call, f"the talk began {began - talk.began} µs after its beginning")
        if talk.ended is None:
            return
        if ended < talk.ended or self.beyond("talk", ended - talk.ended, talk.ended, ended):
            self.blame(story.call, f"the talk ended {ended - talk.ended} µs after its end")
