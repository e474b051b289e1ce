"""A played Asterisk behind a real ARI: HTTP and event socket on loopback, phones and callers that follow a script.

Written from Asterisk's own description (asterisk/asterisk rest-api/api-docs, res/ari/*.c) and from what was measured on
Asterisk 22.10, apart from the adapter, with which it shares no constant. It refuses what Asterisk refuses, so a test
against it fails where the real one would fail; what only the real one can prove is in tests/e2e/asterisk.

`switch` is the exchange, `phones` the scripts of heads, `server` the doors. A played second lasts `second` real ones.
"""
