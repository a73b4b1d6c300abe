"""Augmentations of cine clips: drawn once per clip, the same for all its frames."""

from ptacl_core.augment.cine_geometry import draw_clip_geometry, resample_clips
from ptacl_core.augment.cine_intensity import add_noise, blur_clips, vary_brightness_contrast
from ptacl_core.augment.draws import Draws
from ptacl_core.tensors import Float, Tensor


def augment_cine(
    clips: Float[Tensor, "batch frame height width"],
    draws: Draws,
    *,
    crop_scale: tuple[float, float] = (0.6, 1.0),
    crop_ratio: tuple[float, float] = (0.75, 4.0 / 3.0),
    rotation_deg: float = 45.0,
    flip_probability: float = 0.5,
    vertical_flip_probability: float = 0.0,
    brightness: float = 0.5,
    contrast: float = 0.5,
    blur_sigma_px: tuple[float, float] = (0.1, 1.0),
    blur_probability: float = 0.3,
    noise_std: float = 0.02,
    noise_probability: float = 0.5,
) -> Float[Tensor, "batch frame height width"]:
    """Resized crop, rotation and flip in one resampling, then intensity, blur and noise.

    Clips are in [0, 1] and stay there; frames keep their order. The defaults are those of
    contrastive training; masked and supervised training crop less, since the size in pixels
    tells the volume.
    """
    is_whole = crop_scale == crop_ratio == (1.0, 1.0)
    if not (is_whole and rotation_deg == flip_probability == vertical_flip_probability == 0):
        geometry = draw_clip_geometry(
            len(clips),
            draws,
            clips.device,
            crop_scale=crop_scale,
            crop_ratio=crop_ratio,
            rotation_deg=rotation_deg,
            flip_probability=flip_probability,
            vertical_flip_probability=vertical_flip_probability,
        )
        clips = resample_clips(clips, geometry)
    clips = vary_brightness_contrast(clips, draws, brightness=brightness, contrast=contrast)
    clips = blur_clips(clips, draws, sigma_px=blur_sigma_px, probability=blur_probability)
    return add_noise(clips, draws, std=noise_std, probability=noise_probability)
