"""The hash of a recording that lies in one file or in several."""

import hashlib
import shutil
from pathlib import Path

from ptacl_core.io.discover.source_hash import hash_source

SAMPLES = Path(__file__).resolve().parents[4] / "assets" / "samples"


def test_one_file_has_its_own_hash_and_several_that_of_their_hashes(tmp_path: Path) -> None:
    alone = SAMPLES / "philips_1.04_demo.xml"
    assert hash_source(alone) == hashlib.sha256(alone.read_bytes()).hexdigest()
    parts = [SAMPLES / "HR06000.hea", SAMPLES / "HR06000.mat"]
    lines = sorted(hashlib.sha256(part.read_bytes()).hexdigest() + "\n" for part in parts)
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert hash_source(parts[0]) == hash_source(parts[1]) == expected
    folder = tmp_path / "series" / "deeper"
    folder.mkdir(parents=True)
    for number, part in enumerate(parts):
        shutil.copy(part, folder / f"{number}.dcm")
    assert hash_source(folder.parent) == expected


def test_a_changed_signal_changes_the_hash(tmp_path: Path) -> None:
    for ending in ("hea", "mat"):
        shutil.copy(SAMPLES / f"HR06000.{ending}", tmp_path)
    before = hash_source(tmp_path / "HR06000.hea")
    signal = tmp_path / "HR06000.mat"
    signal.write_bytes(signal.read_bytes()[:-1] + b"\x01")
    assert hash_source(tmp_path / "HR06000.hea") != before
