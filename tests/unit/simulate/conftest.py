"""Settings and patients that several tests of the simulator look at."""

import pytest

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.simulate import PatientTruth, SimulatedPatients, draw_truth, simulate_patients


@pytest.fixture(scope="session")
def easy_settings() -> SimulationSettings:
    return load_cohort_settings("easy")


@pytest.fixture(scope="session")
def easy_patients(easy_settings: SimulationSettings) -> SimulatedPatients:
    return simulate_patients(easy_settings, range(6))


@pytest.fixture(scope="session")
def easy_truth(easy_settings: SimulationSettings) -> PatientTruth:
    """The truth of many patients, without pixels and samples."""
    return draw_truth(easy_settings, range(3000))
