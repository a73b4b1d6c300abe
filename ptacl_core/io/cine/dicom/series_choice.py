"""Which series of an examination is the short-axis cine: candidates, scores, choice, margin.

Images of one plane whose slices repeat under another name are different series, not repeats of
one. Each is scored by what makes a cine: frames within one heart beat and not one per beat,
slices, phases, a movement that closes after a beat, and last its name.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.io.cine.dicom.header import ImageHeader
from ptacl_core.io.cine.dicom.pixels import load_images
from ptacl_core.io.cine.dicom.planes import cluster_positions, project_positions
from ptacl_core.io.cine.dicom.stripes import has_tag_lines
from ptacl_core.records import Finding
from ptacl_core.safety.text.printable import clean_text

_SHORT_AXIS = re.compile(r"(?<![a-z])(sax|sa|short[ _-]?axis|kurzachse)(?![a-z])", re.IGNORECASE)
_STRESS = re.compile(r"stress|dobu|exercise|adeno|regadeno|belastung", re.IGNORECASE)
_CINE_NAME = re.compile(r"cine|ssfp|trufi|fiesta|b-?ffe|retro", re.IGNORECASE)
_LONGEST_FRAME_MS = 150.0
_ONE_PER_BEAT_MS = 300.0
_CLEAR_MARGIN = 1.0
_MAX_SHOWN = 4
_PROBED_FRAMES = 64
_MAX_NAME = 40


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Series of one plane and name, and what speaks for them."""

    images: list[ImageHeader]
    num_slices: int
    num_frames: int
    score: float

    @property
    def moves(self) -> bool:
        """Whether any slice has more than one frame."""
        return self.num_frames > 1

    def __str__(self) -> str:
        numbers = sorted({image.series_number for image in self.images})
        series = f"series {numbers[0]}" + (f" to {numbers[-1]}" if len(numbers) > 1 else "")
        name = clean_text(self.images[0].description, max_length=_MAX_NAME)
        size = f"{self.num_slices} slices × {self.num_frames} frames"
        return f"{series} {name!r} ({size}, score {self.score:.1f})"


def split_series(images: Sequence[ImageHeader]) -> list[list[ImageHeader]]:
    """Images of one plane by what they are called, numbers aside.

    Names that never share a slice belong together (one series per slice, each with its name).
    """
    by_name: dict[str, list[ImageHeader]] = {}
    for image in images:
        by_name.setdefault(re.sub(r"\d+|[ _.-]+", "", image.description.lower()), []).append(image)
    labels = cluster_positions(project_positions(images))
    place = {id(image): int(label) for image, label in zip(images, labels, strict=True)}
    taken_slices: list[set[int]] = []
    series: list[list[ImageHeader]] = []
    for members in by_name.values():
        taken = {place[id(image)] for image in members}
        frames = _usual_frames(members)
        for at, joined in enumerate(series):
            if not taken_slices[at] & taken and _usual_frames(joined) == frames:
                taken_slices[at] |= taken
                joined.extend(members)
                break
        else:
            taken_slices.append(taken)
            series.append(list(members))
    return series


def find_tagged(images: Sequence[ImageHeader]) -> list[ImageHeader]:
    """Images of series with tag lines, among series that hold the same slices; else none.

    Only the first frame of the middle slice of each such series is looked at: tags fade over the
    beat.
    """
    labels = cluster_positions(project_positions(images))
    by_series: dict[str, dict[int, list[ImageHeader]]] = {}
    for image, label in zip(images, labels, strict=True):
        by_series.setdefault(image.series_uid, {}).setdefault(int(label), []).append(image)
    moving = {
        uid: slices
        for uid, slices in by_series.items()
        if uid and max(map(len, slices.values())) > 1
    }
    holders = Counter(label for slices in moving.values() for label in slices)
    contested = [uid for uid, slices in moving.items() if any(holders[at] > 1 for at in slices)]
    tagged = {uid for uid in contested if _is_tagged(moving[uid])}
    if len(tagged) == len(moving):
        return []
    return [image for image in images if image.series_uid in tagged]


def _is_tagged(slices: dict[int, list[ImageHeader]]) -> bool:
    first = min(slices[sorted(slices)[len(slices) // 2]], key=_time_of)
    return any(pixels is not None and has_tag_lines(pixels) for pixels in load_images([first]))


def choose_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """The best of `candidates`; of equals the one whose series came first."""
    return max(candidates, key=lambda one: (one.moves, round(one.score, 3), -_first_number(one)))


def rate_series(images: list[ImageHeader], *, is_contested: bool) -> Candidate:
    """The candidate in `images`; its pixels are looked at only when others contest it."""
    labels = cluster_positions(project_positions(images))
    counts = Counter(labels.tolist())
    num_slices = sum(number > 1 for number in counts.values()) or len(counts)
    num_frames = _usual_frames(images)
    middle = sorted(counts)[len(counts) // 2]
    of_middle = [image for image, label in zip(images, labels, strict=True) if label == middle]
    score = 2.0 * min(num_slices, 12) / 12 + _rate_phases(num_frames) + _rate_timing(of_middle)
    score += 1.0 * any(_SHORT_AXIS.search(_spaced(image.description)) for image in images)
    score += 1.0 * any(_CINE_NAME.search(image.description) for image in images)
    score -= 0.5 * any(_STRESS.search(image.description) for image in images)
    if is_contested and num_frames > 1:
        score += 2.0 * _rate_movement(of_middle)
    return Candidate(images, num_slices, num_frames, score)


def describe_choice(chosen: Candidate, candidates: Sequence[Candidate]) -> list[Finding]:
    """`series_chosen`: the candidates, the choice and by how much it won."""
    others = sorted(
        (one for one in candidates if one is not chosen), key=lambda one: one.score, reverse=True
    )
    if not others:
        return []
    margin = chosen.score - others[0].score
    listed = "; ".join(str(one) for one in others[:_MAX_SHOWN])
    more = f" and {len(others) - _MAX_SHOWN} more" if len(others) > _MAX_SHOWN else ""
    is_clear = margin >= _CLEAR_MARGIN or not others[0].moves
    message = f"{chosen} was taken by a margin of {margin:.1f} before {listed}{more}"
    return [Finding("series_chosen", "info" if is_clear else "warning", message)]


def _usual_frames(images: Sequence[ImageHeader]) -> int:
    counts = Counter(cluster_positions(project_positions(images)).tolist())
    lengths = Counter(counts.values())
    return max(lengths, key=lambda length: (lengths[length], length))


def _rate_phases(num_frames: int) -> float:
    if num_frames < 2:
        return 0.0
    return 2.0 if 12 <= num_frames <= 60 else 1.0


def _rate_timing(images: Sequence[ImageHeader]) -> float:
    """Frames within a beat speak for a cine, one frame per beat against it."""
    triggers_ms = sorted({image.trigger_ms for image in images if image.trigger_ms is not None})
    if len(triggers_ms) == len(images) > 1:
        step_ms = float(np.median(np.diff(triggers_ms)))
        return 3.0 if 0 < step_ms <= _LONGEST_FRAME_MS else -2.0
    times_s = sorted({image.acquisition_time for image in images if image.acquisition_time})
    times_s = times_s or sorted({image.content_time for image in images if image.content_time})
    if len(times_s) > 1:
        step_ms = 1000 * float(np.median(np.diff(times_s)))
        return 2.0 if step_ms <= _LONGEST_FRAME_MS else -3.0 if step_ms >= _ONE_PER_BEAT_MS else 0.0
    return 0.0


def _rate_movement(images: Sequence[ImageHeader]) -> float:
    """0 to 1: how small the steps between neighbouring frames are, the last to the first too.

    A beat is a closed path: its longest step, over all pixels that move, is a small part of its
    size. Contrast agent that comes and goes, breathing and stills are not.
    """
    ordered = sorted(images, key=_time_of)[:_PROBED_FRAMES]
    loaded = [pixels for pixels in load_images(ordered) if pixels is not None]
    if len(loaded) < 4:
        return 0.0
    frames = np.stack([pixels[::2, ::2] for pixels in loaded]).reshape(len(loaded), -1)
    spread = frames.std(axis=0)
    moving = frames[:, spread >= np.quantile(spread, 0.9)].astype(np.float64)
    steps = np.abs(np.diff(moving, axis=0, append=moving[:1])).mean(axis=1)
    size = np.ptp(moving, axis=0).mean()
    return float(np.clip(1 - steps.max() / size, 0, 1)) if size > 0 else 0.0


def _time_of(image: ImageHeader) -> tuple[float, float, float]:
    return (
        image.trigger_ms or 0.0,
        image.acquisition_time or 0.0,
        float(image.instance_number or 0),
    )


def _first_number(candidate: Candidate) -> int:
    return min(image.series_number for image in candidate.images)


def _spaced(description: str) -> str:
    return description.replace("_", " ")
