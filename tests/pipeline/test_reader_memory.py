"""Small files that claim or unpack to gigabytes: an error in words, in little memory (R23)."""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

MAX_GIB = 3.0
CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
from ptacl_core.errors import PtaclError
from ptacl_core.io import read_cine, read_ecg
answers = {}
for path in sys.argv[1:]:
    for read in (read_ecg, read_cine):
        try:
            read(path)
            answer = "a record"
        except PtaclError as error:
            answer = f"{type(error).__name__}: {error}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        answers[f"{read.__name__} {path}"] = [answer, peak]
print(json.dumps(answers))
"""
PIECE = 16 * 2**20


def npy_that_claims(path: Path, shape: tuple[int, ...]) -> None:
    with path.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(4096))


def gzip_of_zeros(path: Path, *, head: bytes, num_pieces: int) -> None:
    """Many members, each of 16 MiB zeros in 16 kB: made in no time, unpacked in full."""
    member = gzip.compress(bytes(PIECE), compresslevel=6)
    path.write_bytes(gzip.compress(head) + member * num_pieces)


def nifti_head() -> bytes:
    head = bytearray(352)
    head[0:4] = (348).to_bytes(4, "little")
    sizes = np.array([4, 1024, 1024, 12, 160, 1, 1, 1], "<i2")
    head[40:56] = sizes.tobytes()
    head[70:74] = np.array([16, 32], "<i2").tobytes()
    head[76:108] = np.array([1, 1.8, 1.8, 10, 0.03, 0, 0, 0], "<f4").tobytes()
    head[108:112] = np.array([352], "<f4").tobytes()
    head[344:348] = b"n+1\0"
    return bytes(head)


@pytest.fixture(scope="module")
def bombs(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bombs")
    npy_that_claims(folder / "claims.npy", (12, 10**12))
    npy_that_claims(folder / "many_axes.npy", (10**5, 12, 10**7))
    gzip_of_zeros(folder / "unpacks.nii.gz", head=nifti_head(), num_pieces=512)  # 8 GiB
    gzip_of_zeros(folder / "table.csv.gz", head=b"I,II,V1\n", num_pieces=512)
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(24):
            archive.writestr(f"{number}.dcm", bytes(PIECE))
    with zipfile.ZipFile(folder / "array.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ecg.npy", bytes(8 * PIECE))
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    (folder / "laughs.xml").write_text(
        f'<!DOCTYPE RestingECG [<!ENTITY a0 "ha">{laughs}]><RestingECG>&a11;</RestingECG>'
    )
    (folder / "deep.xml").write_text("<RestingECG>" + "<a>" * 3_000_000)
    edf = bytearray(b"0       ".ljust(256, b" "))
    edf[184:192], edf[236:244] = b"3328    ", b"99999999"
    edf[244:252], edf[252:256] = b"1       ", b"12  "
    (folder / "records.edf").write_bytes(bytes(edf) + b" " * 3072)
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "claims.h5", "w") as file:
        file.create_dataset("ecg", shape=(10**10, 12), dtype="f8", chunks=(1000, 12))
    return sorted(folder.iterdir())


def test_files_that_grow_are_refused_in_bounded_memory(bombs):
    finished = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, *map(str, bombs)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    answers = json.loads(finished.stdout)
    assert len(answers) == 2 * len(bombs)
    for what, (answer, peak_gib) in answers.items():
        assert answer != "a record", what
        assert "\n" not in answer, what
        assert peak_gib <= MAX_GIB, what
