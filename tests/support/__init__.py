"""What several suites need: real neighbours started on free ports, and the one way to leave a test out loudly.

Each module is a pytest plugin loaded by `tests/conftest.py`; a fixture is available everywhere without an import.
"""
