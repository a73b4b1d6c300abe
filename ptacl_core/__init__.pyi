from ptacl_core.api.cohort import Cohort as Cohort
from ptacl_core.api.features import PtaclFeatures as PtaclFeatures
from ptacl_core.api.model import Model as Model
from ptacl_core.api.model import load_model as load_model

__all__ = ["Cohort", "Model", "PtaclFeatures", "__version__", "load_model"]

__version__: str
