"""ARI events as Asterisk 22.10 sends them, for tests that need no door."""

from typing import Any

from router.telephony_adapter.asterisk.wire import Bridge, Channel, Dialplan, Happening, Party

CALL = "1764000000.12"
LEG = f"{CALL}.h1"


def caller(state: str = "Ring", number: str = "79990000001") -> Channel:
    """The client's channel."""
    return Channel(
        CALL, "PJSIP/trunk-00000001", state, Party("", number), Dialplan("hopline", "9001", "Stasis", "hopline,9001")
    )


def leg(state: str, leg_id: str = LEG) -> Channel:
    """The head's channel."""
    return Channel(leg_id, "PJSIP/101-00000002", state)


def arrives(args: tuple[str, ...] = ("9001",), **of_caller: Any) -> Happening:
    """A client enters Stasis."""
    return Happening("StasisStart", channel=caller(**of_caller), args=args)


def dial(status: str, state: str = "Down") -> Happening:
    """A Dial event of the leg."""
    return Happening("Dial", peer=leg(state), dialstatus=status)


def changes(state: str, leg_id: str = LEG) -> Happening:
    """The leg's state changes."""
    return Happening("ChannelStateChange", channel=leg(state, leg_id))


def enters(leg_id: str = LEG) -> Happening:
    """The answered leg enters Stasis."""
    return Happening("StasisStart", channel=leg("Up", leg_id), args=("leg", CALL, leg_id, "101"))


def destroyed(cause: int, tech: int | None = None, state: str = "Ringing", leg_id: str = LEG) -> Happening:
    """The leg is over."""
    return Happening("ChannelDestroyed", channel=leg(state, leg_id), cause=cause, tech_cause=tech)


def request(channel: Channel, cause: int | None = None, *, soft: bool = False) -> Happening:
    """A hang-up is requested."""
    return Happening("ChannelHangupRequest", channel=channel, cause=cause, soft=soft)


def joins(channel: Channel, *inside: str) -> Happening:
    """Somebody enters our bridge."""
    return Happening("ChannelEnteredBridge", channel=channel, bridge=Bridge(f"{CALL}.b", "hopline", inside))


def parts(channel: Channel, *inside: str) -> Happening:
    """Somebody leaves our bridge."""
    return Happening("ChannelLeftBridge", channel=channel, bridge=Bridge(f"{CALL}.b", "hopline", inside))


def leaves(channel: Channel) -> Happening:
    """Somebody leaves Stasis."""
    return Happening("StasisEnd", channel=channel)
