"""The pretended device, and a small cohort that is made and trained on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.cuda.pretended.ledger import Ledger
from tests.cuda.pretended.runtime import pretended_cuda

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "samples" / "JS20000.hea"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cuda() -> Iterator[Ledger]:
    """A CUDA device for the time of a test; what made the host wait for it."""
    with pretended_cuda() as ledger:
        yield ledger


@pytest.fixture(scope="session")
def sample() -> Path:
    """A recording to predict from."""
    return SAMPLE
