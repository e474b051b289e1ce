"""Plumbing of the test run: plugins, the Hypothesis profile, and the marks that say which suite a test belongs to."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.left_out", "tests.support.postgres"]

# No deadline per example: two noisy cores make any figure wrong. What is checked everywhere is the same everywhere
# (derandomized); HYPOTHESIS_PROFILE=explore searches anew, and what it finds is written down as an example.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
