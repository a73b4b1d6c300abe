"""The only way of the app to the store; `recording_reader` opens the arrays for it.

Its methods block: screens call them in thread workers. Every text they return is safe to
print, every sentence of an error too. The model is never reached from here.
"""

from ptacl_app.data.reading.charts import ChartReading
from ptacl_app.data.reading.kept import KeptReading
from ptacl_app.data.reading.patients import PatientReading
from ptacl_app.data.reading.runs import RunReading
from ptacl_app.data.reading.tables import TableReading


class CohortReader(TableReading, PatientReading, KeptReading, RunReading, ChartReading):
    """One cohort directory, opened read-only; arrays are opened at the first patient."""
