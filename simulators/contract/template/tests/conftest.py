"""Failed assertions of the contract show their values, as those of these tests do."""

import pytest

pytest.register_assert_rewrite("simulators.contract")
