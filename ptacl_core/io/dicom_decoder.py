"""Disposable process that decodes compressed DICOM pixels; its death costs one image.

Run by path as `python -P dicom_decoder.py`; imports nothing of the package. One JSON job comes
on stdin: {"memory_bytes", "cpu_s", "files": [{"path", "decoder", "shape", "target"}]}. For each
file in turn the decoded int32 pixels are written to `target` and one JSON line to stdout: {} or
{"fault": name of the exception}. A missing line means that the process died on that file.
"""

import json
import resource
import sys
import warnings

import numpy as np
from pydicom import config
from pydicom.pixels.utils import pixel_array


def main() -> None:
    """Decode every file of the job on stdin."""
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    with config.disable_value_validation():
        for file in job["files"]:
            try:
                _decode(file)
                answer = {}
            except Exception as error:  # noqa: BLE001 - whatever a decoder raises is told to the parent
                answer = {"fault": type(error).__name__}
            print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol


def _decode(file: dict) -> None:
    pixels = pixel_array(file["path"], decoding_plugin=file["decoder"], raw=True)
    if pixels.size != np.prod(file["shape"]):
        raise ValueError("decoded size differs from the header")
    with open(file["target"], "xb") as stream:  # noqa: PTH123
        stream.write(np.ascontiguousarray(pixels, dtype=np.int32).tobytes())


if __name__ == "__main__":
    main()
