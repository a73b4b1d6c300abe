"""PTACL: what a 12-lead ECG says about the heart that only cardiac MRI can measure.

files --io--> records --preprocess--> prepared arrays --shards--> training-ready cohort
  --stages.pretrain--> one masked autoencoder per modality      (models, losses, train)
  --stages.align-----> ECG and cine encoders in one space       (Eqs. 1-4: losses)
  --stages.embed-----> embeddings, read-out, predictions        (evaluate, cohort)
  --stages.evaluate--> Tables 1 and 2, the alignment map        (evaluate)
  --cohort-----------> one DuckDB file that ptacl_app, SQL and pandas open

`simulate` makes a paired cohort with known truth; `cli` is the command line; `recipes`
chains stages (the demo). Research use only.
"""

__version__ = "0.1.0"
