"""The telephony contract: a suite that every adapter passes, in this repository or in one of its own.

    from simulators.contract import IdempotentLegs, OwnTimer, TelephonyContract

    @pytest.fixture
    async def rig(): ...                 # yields a `simulators.contract.rig.Rig`: the adapter, its fake PBX, the server

    class TestMine(TelephonyContract, OwnTimer, IdempotentLegs):
        pass

Take `TelephonyContract` for a PBX that is conducted, `AdviserContract` for one that asks, `WitnessContract` for one
that hunts by itself, and beside the first the classes for what the adapter declares or its PBX has. A law that does not
apply is a class that is not taken, so nothing is skipped; the first test says if one is forgotten.

`pip install hopline[contract]` brings what the suite needs; `hopline pbx new NAME` makes a package that passes it.
Version 1, for version 1 of the port.
"""

from simulators.contract.laws import IdempotentLegs, OwnPlan, OwnTimer, Retells, TelephonyContract, TellsDevices
from simulators.contract.leading import AdviserContract, WitnessContract

__all__ = [
    "AdviserContract", "IdempotentLegs", "OwnPlan", "OwnTimer", "Retells", "TelephonyContract", "TellsDevices",
    "WitnessContract",
]  # fmt: skip
