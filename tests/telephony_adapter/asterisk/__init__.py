"""The Asterisk adapter against a played ARI (fast). Against the real one: tests/e2e/asterisk/test_adapter.py."""
