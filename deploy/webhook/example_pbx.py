"""A PBX of under a hundred lines, to begin yours from: one client, three phones, commands fetched by long poll.

    HOPLINE_PBX_SECRET=whsec_… python3 example_pbx.py http://server/webhooks/pbx/office +74950000001 +79990001122

Python's standard library only. The contract is docs/webhook-pbx.md; `[pbx.office]` needs `commands = "poll"`. Phone 102
picks up after half a second, and the client hangs up after a second of talk: put your telephony in their place.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.request

SERVER, LINE, CALLER = sys.argv[1:4]
KEY = base64.b64decode(os.environ["HOPLINE_PBX_SECRET"].removeprefix("whsec_"))
CALL = f"c-{time.time_ns()}"
legs, talk, over, lock = {}, {}, threading.Event(), threading.RLock()


def send(path, message, body=b""):
    """One signed request, repeated under the same id until the server takes it."""
    while True:
        at = str(int(time.time()))  # of this attempt
        proof = base64.b64encode(hmac.new(KEY, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": message, "webhook-timestamp": at, "webhook-signature": f"v1,{proof}"}
        request = urllib.request.Request(SERVER + path, data=body or None, headers=headers)
        try:
            return json.load(urllib.request.urlopen(request, timeout=40))
        except OSError as no:  # HTTPError too; what is not there comes back
            if getattr(no, "code", 500) < 500:
                raise SystemExit(no.read().decode()) from no
        time.sleep(0.2)


def tell(kind, **fields):  # under the lock: facts are told in order
    print(kind, *fields.values(), flush=True)
    send("", f"fact-{time.time_ns()}", json.dumps({"type": kind, "call": CALL, **fields}).encode())


def change(leg, state, how=""):
    with lock:
        if leg["state"] in (state, "ended") or (how == "no_answer" and leg["state"] == "up"):
            return
        leg.update(state=state, how=how)
        tell("leg.answered" if state == "up" else "leg.ended", leg=leg["leg"], how=how)


def hang_up(by):
    with lock:
        if not over.is_set():
            over.set()
            if talk:
                tell("talk.ended", by=by)
            tell("call.ended", by=by)
            for leg in legs.values():
                change(leg, "ended", "completed" if leg["state"] == "up" else "cancelled")


def obey(order):  # status and body, as docs/webhook-pbx.md says under "Answers"
    name = order["command"]
    leg, here = legs.get(order.get("leg")), {"call": CALL, "line": LINE, "legs": list(legs.values()), **talk}
    if name == "calls":
        return 200, {"calls": [] if over.is_set() else [here], "recent": list(legs.values())}
    if order["call"] != CALL or over.is_set():
        return 404, {"gone": "call"}
    if name == "ring" and leg:
        return 409, {"leg": leg}  # one leg id rings once
    if name == "ring":
        leg = legs[order["leg"]] = {"leg": order["leg"], "state": "ringing", "how": ""}
        tell("leg.ringing", leg=leg["leg"])
        threading.Timer(order["ring_ms"] / 1000, change, (leg, "ended", "no_answer")).start()
        if order["extension"] == "102":
            threading.Timer(0.5, change, (leg, "up")).start()
    elif name in ("stop", "connect") and (not leg or leg["state"] == "ended"):
        return 404, {"gone": "leg", "leg": leg} if leg else {"gone": "leg"}
    elif name == "stop":
        change(leg, "ended", "cancelled")
    elif name == "connect" and not talk:
        talk.update(talking_leg=leg["leg"], talking_extension="102")
        tell("talk.started", leg=leg["leg"], extension="102")
        threading.Timer(1, hang_up, ("caller",)).start()
    elif name in ("release", "fallback"):
        hang_up("pbx")  # this one has no plan of its own
    return 200, here if name == "look" else {}


tell("call.arrived", line=LINE, caller=CALLER)
after = ""
while not over.is_set():
    handed = send(f"/commands?after={after}&wait_s=2", f"poll-{time.time_ns()}")
    after = handed["after"]
    with lock:
        done = [dict(zip(("id", "status", "body"), (one["id"], *obey(one["command"])))) for one in handed["commands"]]
    send("/commands", f"answers-{time.time_ns()}", json.dumps(done).encode())
