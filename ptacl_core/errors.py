"""Every error that PTACL raises on purpose.

A message says what was expected, what came, where (file, key, step) and what to do, and
names no participant. The command line turns `exit_code` into the process's exit status.
"""


class PtaclError(Exception):
    """Root of the errors raised on purpose; the command line prints it as one line."""

    exit_code = 2


class ConfigError(PtaclError):
    """A configuration file, preset or `--set` value cannot be used."""


class RecordError(PtaclError):
    """A recording cannot be used."""


class UnreadableFileError(RecordError):
    """The file is missing, empty, truncated or damaged."""


class UnsupportedFormatError(RecordError):
    """The file is of no format, or of a variant, that the readers take."""


class MissingUnitError(RecordError):
    """Unit, sampling rate or lead order is neither in the file nor given."""


class ShardError(PtaclError):
    """The training-ready arrays of a cohort are missing, damaged or of another version."""


class CheckpointError(PtaclError):
    """A checkpoint is missing, damaged or does not fit what it is loaded into."""


class BundleError(CheckpointError):
    """A packed model (`.ptacl`) is damaged, hostile, or of a version that cannot be read."""


class EncoderError(PtaclError):
    """An encoder that was not trained here gives something else than features."""


class CohortError(PtaclError):
    """A cohort directory or its store cannot be used."""


class CohortVersionError(CohortError):
    """The cohort was written by a version of the software that this one cannot read."""


class CohortLockedError(CohortError):
    """Another process writes here; the message names it."""


class QueryError(CohortError):
    """A statement was refused, failed or ran past its limits."""


class TrainingDivergedError(PtaclError):
    """The loss stopped being finite; the message names the step and the batch."""

    exit_code = 1
