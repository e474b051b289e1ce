"""What an operator wants to count at a webhook PBX. Labels hold names of ours only, never numbers or ids."""

from prometheus_client import Counter, Histogram

FACTS = Counter("hopline_pbx_webhook_facts_total", "Facts that a webhook PBX told and that are stored", ("pbx",))
UNREADABLE = Counter(
    "hopline_pbx_webhook_unreadable_total",
    "Signed payloads that are not in the contract: kept, not understood",
    ("pbx",),
)
REFUSED = Counter(
    "hopline_pbx_webhook_refused_total", "Deliveries that were not taken, by the status answered", ("pbx", "status")
)
COMMANDS = Counter(
    "hopline_pbx_webhook_commands_total",
    "Requests to a webhook PBX by what was asked and how it was answered (none: no answer)",
    ("pbx", "command", "status"),
)
COMMAND_SECONDS = Histogram(
    "hopline_pbx_webhook_command_seconds",
    "Time from asking a webhook PBX to its answer",
    ("pbx",),
    # On loopback an answer takes about a millisecond, over the internet tens; 3 s is where it is given up by default.
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0),
)
POLLS = Counter("hopline_pbx_webhook_polls_total", "Times that a webhook PBX came to fetch commands", ("pbx",))
LATE_ANSWERS = Counter(
    "hopline_pbx_webhook_late_answers_total",
    "Answers to fetched commands that nobody waited for any more: too late, or told twice",
    ("pbx",),
)
