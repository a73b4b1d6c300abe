"""Views of recordings as a run's settings say."""

from ptacl_core.arrays import Modality
from ptacl_core.config.augment import CineAugmentSettings, EcgAugmentSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.train.beat_views import BeatViews
from ptacl_core.train.views import CineViews, EcgViews


def build_ecg_views(
    settings: RunSettings, augmentation: EcgAugmentSettings
) -> EcgViews | BeatViews:
    """Crops of ECGs, or their beats for an encoder of the beat family."""
    encoder = settings.ecg_encoder
    if encoder.family == "beat":
        return BeatViews(
            num_samples=encoder.num_samples,
            num_steps=encoder.num_steps,
            samples_per_step=encoder.samples_per_step,
            beats_per_view=encoder.beats_per_view,
            strengths=augmentation.strengths(),
        )
    return EcgViews(
        crop_samples=settings.data.ecg_crop_samples,
        patch_samples=settings.ecg_encoder.patch_samples,
        num_steps=settings.data.num_steps,
        beat_mode=settings.data.beat_mode,
        strengths=augmentation.strengths(),
    )


def build_cine_views(settings: RunSettings, augmentation: CineAugmentSettings) -> CineViews:
    """Clips of cines."""
    return CineViews(num_frames=settings.data.num_cine_frames, strengths=augmentation.strengths())


def find_averaged_px(settings: RunSettings, augmentation: CineAugmentSettings) -> int | None:
    """Side to which frames may be averaged before training; None where pixels are needed.

    So of an encoder of the family pooled, whose clips are not augmented: averaging once gives
    the same values as averaging every batch anew.
    """
    encoder = settings.cmr_encoder
    return encoder.pooled_px if encoder.family == "pooled" and augmentation.is_identity else None


def build_views(
    settings: RunSettings,
    modality: Modality,
    ecg: EcgAugmentSettings,
    cine: CineAugmentSettings,
) -> EcgViews | BeatViews | CineViews:
    """Views of one modality."""
    if modality == "ecg":
        return build_ecg_views(settings, ecg)
    return build_cine_views(settings, cine)
