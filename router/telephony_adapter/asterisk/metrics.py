"""What an operator wants to count at the PBX. Labels hold names of ours only, never numbers or ids."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("hopline_ari_requests_total", "Requests to ARI by answer", ("pbx", "verb", "status"))
REQUEST_SECONDS = Histogram(
    "hopline_ari_request_seconds",
    "Time from asking ARI to its answer",
    ("pbx",),
    # An answer takes about a millisecond on an idle machine; 3 s is where it is given up.
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0),
)
EVENTS = Counter("hopline_ari_events_total", "Events of the ARI socket by type", ("pbx", "type"))
UNREADABLE = Counter("hopline_ari_unreadable_total", "Frames of the ARI socket that could not be read", ("pbx",))
CONNECTS = Counter("hopline_ari_connects_total", "Connections of the ARI socket that stood", ("pbx",))
LATE_ANSWERS = Counter("hopline_ari_late_answers_total", "Answers that crossed our own stop of the leg", ("pbx",))
LOST_REPORTS = Counter("hopline_ari_lost_reports_total", "Reports the engine refused for good", ("pbx",))
ORPHANS = Counter("hopline_ari_orphans_total", "Channels and bridges of no call, cleared away", ("pbx", "what"))
RECORD_BAD_LINES = Counter("hopline_fallback_bad_lines_total", "Unreadable lines of the fallback record", ("pbx",))
