"""The preview picture: a cell per cine, safe labels, whole or not there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ptacl_core.preprocess.cine import prepare_cine
from ptacl_core.preprocess.contact_sheet import MAX_CINES, draw_contact_sheet
from ptacl_core.records import PreparedCine


def test_sheet_shows_each_cine(patient, tmp_path: Path) -> None:
    prepared = prepare_cine(patient.record)
    path = tmp_path / "sheet.png"
    draw_contact_sheet([prepared] * 5, [f"p{index}" for index in range(5)], path, num_columns=2)
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (3 * (168 + 14 + 6) + 6, 2 * (336 + 6) + 6)
    first = pixels[20 : 20 + 168, 6 : 6 + 168].astype(float)
    small = first.reshape(84, 2, 84, 2).mean(axis=(1, 3)) / 255
    assert np.corrcoef(small.ravel(), prepared.frames[0].ravel())[0, 1] > 0.98
    assert pixels[20 + 84, 6 + 84] == 255  # the cross


def test_rejected_and_hostile_labels(tmp_path: Path) -> None:
    from ptacl_core.records import Finding

    rejected = PreparedCine(
        np.zeros((50, 84, 84), dtype=np.float32),
        0,
        (0.0, 0.0),
        findings=(Finding("constant_image", "reject", "flat"),),
    )
    path = tmp_path / "sheet.png"
    draw_contact_sheet([rejected] * 2, ["\x1b[31mred\x07\n", "Ω漢字" * 50], path)
    with Image.open(path) as sheet:
        assert sheet.size == (2 * 342 + 6, 194)


@pytest.mark.parametrize(("count", "labels"), [(0, 0), (2, 1), (MAX_CINES + 1, MAX_CINES + 1)])
def test_wrong_numbers(tmp_path: Path, count: int, labels: int) -> None:
    cine = PreparedCine(np.zeros((50, 84, 84), dtype=np.float32), 0, (0.0, 0.0))
    with pytest.raises(ValueError, match=f"got {count} cines and {labels} labels"):
        draw_contact_sheet([cine] * count, ["x"] * labels, tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []
