"""A whole examination: the cine is taken and named, whatever else lies beside it."""

import numpy as np
import pytest

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io import read_cine


@pytest.fixture
def beating():
    """A bright disc that contracts once over `period` frames, with noise."""

    def draw(num_slices, num_frames, *, period=None, size=48, seed=0, inner=9.0):
        rng = np.random.default_rng(seed)
        row, column = np.mgrid[:size, :size]
        radius = np.hypot(row - size / 2, column - size / 2)
        phase = 2 * np.pi * np.arange(num_frames) / (period or num_frames)
        edges = inner + 4 * np.cos(phase)
        frames = 60 + 300 / (1 + np.exp((radius - edges[:, None, None]) * 1.5))
        frames = frames[None] + 20 * np.arange(num_slices)[:, None, None, None]
        return (frames + rng.normal(0, 4, frames.shape)).astype(np.uint16)

    return draw


@pytest.fixture
def build(dicom, beating):
    """Images of one series with pixels of their own and attributes changed."""

    def make(name, *, number=3, num_slices=4, num_frames=20, pixels=None, **changes):
        series = dicom.series(num_slices=num_slices, num_frames=num_frames)
        pixels = beating(num_slices, num_frames) if pixels is None else pixels
        images = series.build(prefix=f"1.2.{number}")
        for index, image in enumerate(images):
            at_slice, at_frame = divmod(index, num_frames)
            image.PatientID, image.StudyInstanceUID = "anonymous", "1.2.9"
            image.SeriesInstanceUID, image.SeriesNumber = f"1.2.{number}", number
            image.SeriesDescription = name
            dicom.set_pixels(image, pixels[at_slice, at_frame])
            for key, value in changes.items():
                setattr(image, key, value(at_slice, at_frame) if callable(value) else value)
        return images

    return make


def one_per_beat(_slice, frame):
    return f"1000{frame // 60:02d}{frame % 60:02d}"[:6] + ".0"


NEIGHBOURS = {
    "perfusion by name": ("perfusion_SAX_stress", {"num_frames": 30}),
    "perfusion by its times": (
        "SAX dynamic",
        {"num_frames": 30, "TriggerTime": "600", "AcquisitionTime": one_per_beat},
    ),
    "tagging": ("tag_SAX", {}),
    "late enhancement": ("SAX_LGE_psir", {}),
    "phase of the same name": ("SSFP_stack", {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
    "Philips phase": ("SSFP_stack", {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P"]}),
    "flow": ("flow_SAX", {}),
    "maps": ("SAX_T1_map_MOLLI", {"num_frames": 8}),
}


@pytest.mark.parametrize("is_later", [False, True])
@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_the_cine_is_taken(dicom, build, beating, tmp_path, kind, is_later):
    name, changes = NEIGHBOURS[kind]
    cine = beating(4, 20)
    num_frames = changes.get("num_frames", 20)
    drift = np.linspace(1, 2, num_frames)[:, None, None]
    other = (beating(4, num_frames, seed=1) * drift + 500).astype(np.uint16)
    images = build("SSFP_stack", pixels=cine)
    images += build(name, number=9 if is_later else 1, pixels=other, **changes)
    record = read_cine(dicom.write_folder(tmp_path, images))
    np.testing.assert_array_equal(record.frames, cine)


@pytest.mark.parametrize("name", ["SSFP_stack", ""])
@pytest.mark.parametrize("is_grid", [False, True])
def test_tag_lines_are_seen_whatever_the_series_is_called(
    dicom, build, beating, tmp_path, name, is_grid
):
    cine = beating(4, 20)
    row, column = np.mgrid[:48, :48]
    lines = 0.5 + 0.5 * np.cos(np.pi * (row + column) / 3)
    if is_grid:
        lines = lines * (0.5 + 0.5 * np.cos(np.pi * (row - column) / 3))
    tagged = (beating(4, 20, seed=1) * lines).astype(np.uint16)
    images = build(name, pixels=cine) + build(name, number=9, pixels=tagged)
    record = read_cine(dicom.write_folder(tmp_path, images))
    np.testing.assert_array_equal(record.frames, cine)
    assert "tagging_excluded" in {finding.code for finding in record.findings}


def test_the_sequence_counts_beside_a_deceptive_name(dicom, build, beating, tmp_path):
    cine = beating(4, 20)
    tagged = build("cine_SAX", number=9, SequenceName="*fl2d1_tagging")
    record = read_cine(dicom.write_folder(tmp_path, build("stack", pixels=cine) + tagged))
    np.testing.assert_array_equal(record.frames, cine)


def test_rest_is_taken_before_stress(dicom, build, beating, tmp_path):
    cine = beating(4, 20)
    images = build("SAX stress", number=2) + build("SAX", number=5, pixels=cine)
    record = read_cine(dicom.write_folder(tmp_path, images))
    np.testing.assert_array_equal(record.frames, cine)


def test_the_choice_and_its_margin_are_named(dicom, build, beating, tmp_path):
    images = build("SSFP_stack") + build("second try", number=7, num_slices=2)
    record = read_cine(dicom.write_folder(tmp_path, images))
    (finding,) = [one for one in record.findings if one.code == "series_chosen"]
    assert "series 3 'SSFP_stack' (4 slices × 20 frames" in finding.message
    assert "series 7 'second try' (2 slices × 20 frames" in finding.message
    assert "margin" in finding.message


def test_slices_with_names_of_their_own_are_one_series(dicom, build, beating, tmp_path):
    cine = beating(3, 20)
    images = []
    for at_slice, place in enumerate(("base", "mid", "apex")):
        images += build(f"SAX {place}", number=at_slice + 2, num_slices=3, pixels=cine)[
            at_slice * 20 : at_slice * 20 + 20
        ]
    record = read_cine(dicom.write_folder(tmp_path, images))
    np.testing.assert_array_equal(record.frames, cine)


def test_only_other_sequences_are_refused_by_name(dicom, build, tmp_path):
    with pytest.raises(UnsupportedFormatError, match="perfusion"):
        read_cine(dicom.write_folder(tmp_path, build("perfusion_SAX")))


def real_time(build, beating, num_frames, period, **changes):
    pixels = beating(3, num_frames, period=period)
    images = build("SAX_realtime", num_slices=3, num_frames=num_frames, pixels=pixels, **changes)
    for index, image in enumerate(images):
        at_slice, at_frame = divmod(index, num_frames)
        del image.TriggerTime
        if "NominalInterval" not in changes:
            del image.NominalInterval
        image.AcquisitionTime = f"10{at_slice:02d}{0.045 * at_frame:09.6f}"
    return images


@pytest.mark.parametrize("is_stated", [False, True])
@pytest.mark.parametrize(("num_frames", "period"), [(60, 20), (64, 17.3), (40, 24)])
def test_real_time_series_are_cut_to_one_beat(
    dicom, build, beating, tmp_path, num_frames, period, is_stated
):
    stated = {"NominalInterval": str(round(45 * period))} if is_stated else {}
    images = real_time(build, beating, num_frames, period, **stated)
    record = read_cine(dicom.write_folder(tmp_path, images))
    assert "beats_cut" in {finding.code for finding in record.findings}
    assert abs(record.frames.shape[1] - period) <= 1
    np.testing.assert_allclose(np.diff(record.frame_times_ms), 45)
    area = (record.frames > 250).sum(axis=(2, 3))
    assert (area[:, 0] >= 0.97 * area.max(axis=1)).all()


def test_a_long_series_without_a_beat_is_kept_out(dicom, build, beating, tmp_path):
    images = real_time(build, beating, 70, 700)
    record = read_cine(dicom.write_folder(tmp_path, images))
    findings = {finding.code: finding.severity for finding in record.findings}
    assert findings["beats_unclear"] == "reject"
