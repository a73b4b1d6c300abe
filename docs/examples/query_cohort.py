"""A small simulated cohort and a question to its store, in SQL and in Python.

python docs/examples/query_cohort.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

from ptacl_core.cohort import Cohort
from ptacl_core.stages.simulate import run as simulate

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "cohort"
simulate.run(folder, preset="tiny", num_patients=24, num_workers=1)

with Cohort.open(folder) as cohort:
    answer = cohort.sql(
        "SELECT sex, count(*) AS patients, round(avg(lvef_pct), 1) AS mean_lvef_pct "
        "FROM overview GROUP BY sex ORDER BY sex"
    )
print(*answer.columns)
for row in answer.rows:
    print(*row)
