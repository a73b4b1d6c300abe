"""CLAIM, update of 2024, in our own short words: 44 items, and what of each is on disk.

Numbers and order are those of Tejani et al., Radiology: Artificial Intelligence 2024;6:e240300.
"""

from ptacl_core.stages.report.items import Item

TITLE = "CLAIM 2024"
REFERENCE = (
    "Tejani et al., Radiology: Artificial Intelligence 2024;6(4):e240300, doi 10.1148/ryai.240300"
)

_DESIGN, _DATA, _STANDARD = "Study design", "Data", "Reference standard"
_PARTITION, _MODEL, _TRAINING = "Data partitions", "Model", "Training"
_EVALUATION, _RESULTS, _OTHER = "Evaluation", "Results", "Other information"

ITEMS = (
    Item("1", "Title and abstract", "Say that it is a study of AI, and of which kind",
         ("model",), "The title."),
    Item("2", "Title and abstract", "Abstract with design, methods, results and conclusions"),
    Item("3", "Introduction", "Background, intended use and role of the AI"),
    Item("4", "Introduction", "Aims and hypotheses"),
    Item("5", _DESIGN, "Prospective or retrospective"),
    Item("6", _DESIGN, "Goal of the study"),
    Item("7", _DATA, "Sources of the data", ("source", "formats"), "Sites and dates."),
    Item("8", _DATA, "Who and what was included and excluded", ("criteria", "rejected"),
         "Eligibility of the people themselves."),
    Item("9", _DATA, "Preprocessing", ("preparation",)),
    Item("10", _DATA, "Which parts of recordings were selected", ("predictors", "preparation")),
    Item("11", _DATA, "How identities were removed"),
    Item("12", _DATA, "How missing data were handled", ("missing",), "Why values are missing."),
    Item("13", _DATA, "How images and signals were acquired", ("formats",),
         "Devices, protocols and sequences."),
    Item("14", _STANDARD, "Definition of the reference standard", ("outcome",),
         "How it was measured."),
    Item("15", _STANDARD, "Why this reference standard"),
    Item("16", _STANDARD, "Who made its annotations"),
    Item("17", _STANDARD, "How the test set was annotated"),
    Item("18", _STANDARD, "How well annotators agree with each other and with themselves"),
    Item("19", _PARTITION, "How data were assigned to partitions", ("partition",),
         "By which rule, where the cohort's own splits were used."),
    Item("20", _PARTITION, "At which level partitions are apart", ("partition",)),
    Item("21", "Testing data", "Intended sample size", ("size",), "Which was intended, and why."),
    Item("22", _MODEL, "The model in full", ("model", "output", "departures")),
    Item("23", _MODEL, "Software, libraries and their versions", ("hashes",),
         "Versions of the libraries beside it."),
    Item("24", _MODEL, "How parameters were initialised", ("start",)),
    Item("25", _TRAINING, "Training in full", ("training", "weighting"),
         "What was searched before this run."),
    Item("26", _TRAINING, "How the final model was chosen", ("selection", "learned")),
    Item("27", _TRAINING, "Ensembles", ("selection",)),
    Item("28", _EVALUATION, "Measures of performance", ("measures",)),
    Item("29", _EVALUATION, "Measures of uncertainty and significance", ("measures",)),
    Item("30", _EVALUATION, "Robustness and sensitivity", ("subgroups",),
         "Analyses beyond subgroups."),
    Item("31", _EVALUATION, "Explainability, and how it was checked"),
    Item("32", _EVALUATION, "Evaluation on internal data", ("held out",)),
    Item("33", _EVALUATION, "Evaluation on external data",
         ("external", "external figures", "shift")),
    Item("34", _EVALUATION, "Registration of a trial"),
    Item("35", _RESULTS, "People and recordings included and excluded", ("flow", "rejected")),
    Item("36", _RESULTS, "People of each partition", ("people", "partition"),
         "Clinical characteristics."),
    Item("37", _RESULTS, "Performance with uncertainty", ("performance", "calibration")),
    Item("38", _RESULTS, "Diagnostic performance with precision", ("events",)),
    Item("39", _RESULTS, "Analysis of what went wrong", ("subgroups",), "Single cases."),
    Item("40", "Discussion", "Limitations"),
    Item("41", "Discussion", "What it means for practice"),
    Item("42", _OTHER, "Where the protocol and further details are"),
    Item("43", _OTHER, "Whether software, model and data are to be had", ("hashes",),
         "Where they are to be had."),
    Item("44", _OTHER, "Funding and the role of funders"),
)  # fmt: skip
"""All 44."""
