"""What the tests of the package share. They run where it is installed: tools/test_package.sh."""

import plm
import pytest


@pytest.fixture(scope="session")
def model():
    """The package's own model, small enough to load in a moment."""
    with plm.Model(n_ctx=256, n_threads=2) as loaded:
        yield loaded


@pytest.fixture
def fresh_model():
    """One that nothing was asked yet."""
    with plm.Model(n_ctx=256, n_threads=2) as loaded:
        yield loaded
