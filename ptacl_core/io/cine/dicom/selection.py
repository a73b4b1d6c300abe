"""Which images of an examination are its short-axis cine: by geometry first, names second."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.cine.dicom.header import ImageHeader
from ptacl_core.records import Finding

POSITION_TOLERANCE_MM = 1.0
_ANGLE_TOLERANCE_DEG = 1.0
_SPACING_TOLERANCE_MM = 1e-3
_INLINE_CONTOURS = re.compile(r"inline_?vf", re.IGNORECASE)
_LONG_AXIS = re.compile(
    r"(?<![a-z])(lax|[234] ?_?-?(ch|chamber|cv)|hla|vla|lvot|long[ _-]?axis)(?![a-z])",
    re.IGNORECASE,
)
_SHORT_AXIS = re.compile(r"(?<![a-z])(sax|sa|short[ _-]?axis)(?![a-z])", re.IGNORECASE)
_LOCALISER = re.compile(r"(?<![a-z])(localis?zer|localiser|scout)(?![a-z])", re.IGNORECASE)


def select_short_axis(
    headers: Sequence[ImageHeader],
) -> tuple[list[ImageHeader], list[Finding]]:
    """The images of the one short-axis cine stack among `headers`, whatever order they come in.

    InlineVF series (contours burned in), long-axis views, localisers and images of another plane,
    matrix or pixel size are left out, with a finding for each kind. Raises UnsupportedFormatError
    when several patients are mixed or no short-axis cine is left.
    """
    if len({header.patient_id for header in headers if header.patient_id}) > 1:
        raise UnsupportedFormatError(
            "expected one patient's cine, found images of several patients; give one folder or "
            "archive per patient"
        )
    findings: list[Finding] = []
    kept = _without_copies(sorted(headers, key=_content_key), findings)
    reasons = [
        ("inline_vf_excluded", "with burned-in contours (InlineVF)", _is_inline_vf),
        ("long_axis_excluded", "named as long-axis views", _is_long_axis),
        ("localiser_excluded", "of localisers", _is_localiser),
    ]
    seen = []
    for code, what, is_excluded in reasons:
        excluded = [header for header in kept if is_excluded(header)]
        if excluded:
            kept = [header for header in kept if not is_excluded(header)]
            seen.append(f"{len(excluded)} {what}")
            findings.append(Finding(code, "info", f"{len(excluded)} images {what} were left out"))
    originals = [header for header in kept if "DERIVED" not in header.image_type]
    if originals and len(originals) < len(kept):
        number = len(kept) - len(originals)
        findings.append(
            Finding("derived_excluded", "info", f"{number} derived images were left out")
        )
        kept = originals
    if not kept:
        raise UnsupportedFormatError(
            f"expected a short-axis cine, found only images {' and '.join(seen)}; give the "
            "original short-axis series"
        )
    return _choose_plane(kept, findings), findings


def slice_normal(header: ImageHeader) -> np.ndarray:
    """Unit normal of the image plane, row direction × column direction."""
    normal = np.cross(header.orientation[:3], header.orientation[3:])
    return normal / np.linalg.norm(normal)


def cluster_positions(positions_mm: np.ndarray) -> np.ndarray:
    """A slice number for each position along the normal: jitter within a slice is ignored."""
    order = np.argsort(positions_mm, kind="stable")
    steps = np.diff(positions_mm[order]) > POSITION_TOLERANCE_MM
    labels = np.empty(len(positions_mm), dtype=np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(steps)])
    return labels


def project_positions(headers: Sequence[ImageHeader]) -> np.ndarray:
    """Position of each image along the stack in mm (formats.md §2.2: never SliceLocation)."""
    return np.array([header.position_mm for header in headers]) @ slice_normal(headers[0])


def _choose_plane(headers: list[ImageHeader], findings: list[Finding]) -> list[ImageHeader]:
    groups: list[list[ImageHeader]] = []
    for header in headers:
        for group in groups:
            if _shares_plane(group[0], header):
                group.append(header)
                break
        else:
            groups.append([header])
    scores = [_score(group) for group in groups]
    best = max(range(len(groups)), key=lambda index: (scores[index], index))
    has_movement, says_short_axis, num_slices, num_images = scores[best]
    if not has_movement:
        raise UnsupportedFormatError(
            f"expected a cine (several frames of each slice), found {num_images} still images; "
            "give every frame of the series"
        )
    moving = [score for score in scores if score[0]]
    if num_slices == 1 and not says_short_axis and len(moving) > 1:
        raise UnsupportedFormatError(
            f"expected a short-axis stack, found {len(moving)} single slices in different planes, "
            "as long-axis views have; give the short-axis series"
        )
    others = len(headers) - num_images
    if others:
        findings.append(
            Finding(
                "other_planes_excluded",
                "info",
                f"{others} images of {len(groups) - 1} other planes, matrices or pixel sizes were "
                "left out",
            )
        )
    return groups[best]


def _score(group: list[ImageHeader]) -> tuple[bool, bool, int, int]:
    """(moves, is named short-axis, slices that move, images)."""
    frames_per_slice = Counter(cluster_positions(project_positions(group)).tolist())
    num_moving = sum(number > 1 for number in frames_per_slice.values())
    says_short_axis = any(_SHORT_AXIS.search(_spaced(header.description)) for header in group)
    return num_moving > 0, says_short_axis, num_moving, len(group)


def _shares_plane(first: ImageHeader, second: ImageHeader) -> bool:
    if (first.layout.rows, first.layout.columns) != (second.layout.rows, second.layout.columns):
        return False
    if not np.allclose(first.spacing_mm, second.spacing_mm, rtol=0, atol=_SPACING_TOLERANCE_MM):
        return False
    smallest = np.cos(np.deg2rad(_ANGLE_TOLERANCE_DEG))
    ours, theirs = np.array(first.orientation), np.array(second.orientation)
    return bool(ours[:3] @ theirs[:3] >= smallest and ours[3:] @ theirs[3:] >= smallest)


def _without_copies(headers: list[ImageHeader], findings: list[Finding]) -> list[ImageHeader]:
    kept, seen = [], set()
    for header in headers:
        key = (
            header.instance_uid,
            header.frame_index,
            header.position_mm,
            header.trigger_ms,
            header.instance_number,
        )
        if header.instance_uid and key in seen:
            continue
        seen.add(key)
        kept.append(header)
    if len(kept) < len(headers):
        number = len(headers) - len(kept)
        findings.append(
            Finding("duplicate_files", "info", f"{number} copies of the same images were left out")
        )
    return kept


def _content_key(header: ImageHeader) -> tuple[object, ...]:
    """An order that depends on what the images are, never on file names."""
    return (
        header.series_number,
        header.series_uid,
        header.position_mm,
        -1 if header.instance_number is None else header.instance_number,
        header.frame_index,
        header.instance_uid,
    )


def _spaced(description: str) -> str:
    return description.replace("_", " ")


def _is_inline_vf(header: ImageHeader) -> bool:
    return bool(_INLINE_CONTOURS.search(header.description))


def _is_long_axis(header: ImageHeader) -> bool:
    return bool(_LONG_AXIS.search(_spaced(header.description)))


def _is_localiser(header: ImageHeader) -> bool:
    return "LOCALIZER" in header.image_type or bool(_LOCALISER.search(_spaced(header.description)))
