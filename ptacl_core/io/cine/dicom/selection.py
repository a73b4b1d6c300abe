"""Which images of an examination are its short-axis cine: by geometry first, names second."""

import re
from collections.abc import Callable, Sequence

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.cine.dicom.header import ImageHeader
from ptacl_core.io.cine.dicom.planes import shares_plane
from ptacl_core.io.cine.dicom.series_choice import (
    choose_candidate,
    describe_choice,
    find_tagged,
    rate_series,
    split_series,
)
from ptacl_core.records import Finding

_INLINE_CONTOURS = re.compile(r"inline_?vf", re.IGNORECASE)
_LONG_AXIS = re.compile(
    r"(?<![a-z])(lax|[234] ?_?-?(ch|chamber|cv)|hla|vla|lvot|long[ _-]?axis)(?![a-z])",
    re.IGNORECASE,
)
_SHORT_AXIS = re.compile(r"(?<![a-z])(sax|sa|short[ _-]?axis)(?![a-z])", re.IGNORECASE)
_FLOW = re.compile(r"(?<![a-z])(flow|venc|pc[ -]?mr|pcmri|velocity)(?![a-z])", re.IGNORECASE)
_PERFUSION = re.compile(r"perf(usion|us)?(?![a-z])|first[ _-]?pass", re.IGNORECASE)
_TAGGING = re.compile(r"(?<![a-z])(tag(s|ged|ging)?|c?spamm|grid)(?![a-z])", re.IGNORECASE)
_LATE_ENHANCEMENT = re.compile(
    r"(?<![a-z])(lge|mde|dmde|psir|late|delayed|viab\w*|de[ _-]?mri)(?![a-z])", re.IGNORECASE
)
_MAPPING = re.compile(r"molli|shmolli|(?<![a-z])t[12][ *_-]?(map\w*|star)", re.IGNORECASE)
_NO_MAGNITUDE = {"P", "PHASE", "PHASE MAP", "VELOCITY MAP", "R", "REAL", "I", "IMAGINARY"}
_LOCALISER = re.compile(r"(?<![a-z])(localis?zer|localiser|scout)(?![a-z])", re.IGNORECASE)


def select_short_axis(
    headers: Sequence[ImageHeader],
) -> tuple[list[ImageHeader], list[Finding]]:
    """The images of the one short-axis cine stack among `headers`, whatever order they come in.

    Phase and velocity images, flow, perfusion, tagging, late enhancement and maps by name, InlineVF
    series (contours burned in), long-axis views, localisers and images of another plane, series,
    matrix or pixel size are left out, with a finding for each kind; `series_chosen` names the
    candidates and by how much the choice won. Raises UnsupportedFormatError
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
        ("phase_excluded", "of phase, velocity, real or imaginary parts", _is_no_magnitude),
        ("flow_excluded", "named as flow", _is_named(_FLOW)),
        ("perfusion_excluded", "named as perfusion", _is_named(_PERFUSION)),
        ("tagging_excluded", "named as tagging", _is_named(_TAGGING)),
        ("enhancement_excluded", "named as late enhancement", _is_named(_LATE_ENHANCEMENT)),
        ("mapping_excluded", "named as T1 or T2 maps", _is_named(_MAPPING)),
        ("inline_vf_excluded", "with burned-in contours (InlineVF)", _is_inline_vf),
        ("long_axis_excluded", "named as long-axis views", _is_long_axis),
        ("localiser_excluded", "of localisers", _is_localiser),
    ]
    left_out = []
    for code, what, is_excluded in reasons:
        excluded = [header for header in kept if is_excluded(header)]
        if excluded:
            kept = [header for header in kept if not is_excluded(header)]
            left_out.append(f"{len(excluded)} {what}")
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
            f"expected a short-axis cine, found only images {' and '.join(left_out)}; give the "
            "original short-axis series"
        )
    return _choose_series(kept, findings), findings


def _choose_series(headers: list[ImageHeader], findings: list[Finding]) -> list[ImageHeader]:
    planes: list[list[ImageHeader]] = []
    for header in headers:
        for plane in planes:
            if shares_plane(plane[0], header):
                plane.append(header)
                break
        else:
            planes.append([header])
    planes = [_without_tags(plane, findings) for plane in planes]
    headers = [header for plane in planes for header in plane]
    groups = [series for plane in planes for series in split_series(plane)]
    rated = [rate_series(group, is_contested=False) for group in groups]
    if sum(one.moves for one in rated) > 1:
        rated = [rate_series(group, is_contested=True) for group in groups]
    chosen = choose_candidate(rated)
    if not chosen.moves:
        raise UnsupportedFormatError(
            f"expected a cine (several frames of each slice), found {len(chosen.images)} still "
            "images; give every frame of the series"
        )
    moving = [one for one in rated if one.moves]
    says_short_axis = any(_SHORT_AXIS.search(_spaced(one.description)) for one in chosen.images)
    if chosen.num_slices == 1 and not says_short_axis and len(moving) > 1:
        raise UnsupportedFormatError(
            f"expected a short-axis stack, found {len(moving)} single slices in different planes, "
            "as long-axis views have; give the short-axis series"
        )
    findings += describe_choice(chosen, moving)
    others = len(headers) - len(chosen.images)
    if others:
        findings.append(
            Finding(
                "other_planes_excluded",
                "info",
                f"{others} images of {len(groups) - 1} other planes, series, matrices or pixel "
                "sizes were left out",
            )
        )
    return chosen.images


def _without_tags(plane: list[ImageHeader], findings: list[Finding]) -> list[ImageHeader]:
    """The images of a plane without series of the same slices that carry tag lines."""
    tagged = {id(image) for image in find_tagged(plane)}
    if tagged:
        message = f"{len(tagged)} images of series with tag lines were left out"
        findings.append(Finding("tagging_excluded", "info", message))
    return [image for image in plane if id(image) not in tagged]


def _without_copies(headers: list[ImageHeader], findings: list[Finding]) -> list[ImageHeader]:
    kept, keys_so_far = [], set()
    for header in headers:
        key = (
            header.instance_uid,
            header.frame_index,
            header.position_mm,
            header.trigger_ms,
            header.instance_number,
        )
        if header.instance_uid and key in keys_so_far:
            continue
        keys_so_far.add(key)
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


def _is_no_magnitude(header: ImageHeader) -> bool:
    """Whether the image type names another part than the magnitude, in any vendor's words."""
    parts = {part for part in header.image_type[2:] if part not in {"M", "MAGNITUDE"}}
    named_magnitude = len(parts) < len(header.image_type[2:])
    is_other = bool(parts & _NO_MAGNITUDE) or any(
        part.startswith(("P_", "R_", "I_", "PHASE ")) and not part.endswith(" M") for part in parts
    )
    return is_other and not named_magnitude


def _is_named(pattern: re.Pattern[str]) -> Callable[[ImageHeader], bool]:
    return lambda header: bool(pattern.search(_spaced(f"{header.description} {header.sequence}")))


def _is_inline_vf(header: ImageHeader) -> bool:
    return bool(_INLINE_CONTOURS.search(header.description))


def _is_long_axis(header: ImageHeader) -> bool:
    return bool(_LONG_AXIS.search(_spaced(header.description)))


def _is_localiser(header: ImageHeader) -> bool:
    return "LOCALIZER" in header.image_type or bool(_LOCALISER.search(_spaced(header.description)))
