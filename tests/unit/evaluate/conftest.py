"""Tests of refused shapes need the functions themselves to see them."""

import pytest


@pytest.fixture
def unchecked_shapes(request):
    """Skip where the jaxtyping hook refuses the wrong shape before the function is entered."""
    if request.config.getoption("--jaxtyping-packages", default=None):
        pytest.skip("the jaxtyping hook refuses wrong shapes first")
