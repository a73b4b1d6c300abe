"""The verdict on one stage: learned or not, and why not, in words that a reader can act on."""

from dataclasses import dataclass

HINTS = {
    "contrast": "try a quarter of the learning rate, a larger batch, or more steps",
    "rank": "try a smaller learning rate, a larger batch, or centred features before projection",
    "reconstruction": "try more steps, a larger batch, or targets normalised per patch",
    "random": "the training lost what an untrained encoder keeps: try a smaller learning rate",
    "regression": "try more steps, or a smaller learning rate",
}
"""What to try, by the kind of failure."""


@dataclass(frozen=True, slots=True)
class HealthThresholds:
    """From where on a stage counts as not learned."""

    contrastive_share: float = 0.97
    """Contrastive loss as a share of ln B: at or above."""
    min_effective_rank: float = 4.0
    """Effective rank of the embeddings: below."""
    reconstruction_share: float = 0.98
    """Loss of a masked autoencoder as a share of the mean predictor's: at or above."""


DEFAULT_THRESHOLDS = HealthThresholds()


@dataclass(frozen=True, slots=True)
class StageFigures:
    """What was measured of one stage on one split; None: does not apply, or was not measured.

    `effective_ranks` are by place, such as "ECG embeddings"; `r2` and `random_r2` by modality,
    mean R² of the trained and of the untrained encoder.
    """

    split: str
    contrastive_loss: float | None = None
    chance_loss: float | None = None
    effective_ranks: dict[str, float] | None = None
    reconstruction_loss: float | None = None
    mean_predictor_loss: float | None = None
    regression_loss: float | None = None
    mean_regression_loss: float | None = None
    r2: dict[str, float] | None = None
    random_r2: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """`learned` with no reasons, or not learned with each reason and what to try."""

    learned: bool
    reasons: tuple[str, ...]
    hints: tuple[str, ...]


def judge_learning(
    figures: tuple[StageFigures, ...], *, thresholds: HealthThresholds = DEFAULT_THRESHOLDS
) -> HealthVerdict:
    """Learned unless one of the figures, on any split, says that it has not.

    A contrastive loss at `contrastive_share` of ln B or above; an effective rank below
    `min_effective_rank`; a reconstruction loss at `reconstruction_share` of the mean
    predictor's or above; a regression loss that is not below that of the mean; R² below that
    of the untrained encoder. A figure that is not a number counts as a failure.
    """
    failures: list[tuple[str, str]] = []
    for figure in figures:
        failures.extend(_judge_contrast(figure, thresholds))
        failures.extend(_judge_ranks(figure, thresholds))
        failures.extend(_judge_targets(figure, thresholds))
        failures.extend(_judge_r2(figure))
    kinds = dict.fromkeys(kind for kind, _ in failures)
    return HealthVerdict(
        learned=not failures,
        reasons=tuple(reason for _, reason in failures),
        hints=tuple(dict.fromkeys(HINTS[kind] for kind in kinds)),
    )


def _judge_contrast(figures: StageFigures, thresholds: HealthThresholds) -> list[tuple[str, str]]:
    loss, chance = figures.contrastive_loss, figures.chance_loss
    # "Not below" and not "at or above": a loss that is not a number is a failure as well.
    if loss is None or chance is None or loss < thresholds.contrastive_share * chance:
        return []
    reason = (
        f"contrastive loss {loss:.3f} on {figures.split} is {loss / chance:.3f} of ln B = "
        f"{chance:.3f}, what embeddings that are all alike give"
    )
    return [("contrast", reason)]


def _judge_ranks(figures: StageFigures, thresholds: HealthThresholds) -> list[tuple[str, str]]:
    return [
        (
            "rank",
            f"effective rank of the {place} on {figures.split} is {rank:.1f}, below "
            f"{thresholds.min_effective_rank:g}",
        )
        for place, rank in (figures.effective_ranks or {}).items()
        if not rank >= thresholds.min_effective_rank
    ]


def _judge_targets(figures: StageFigures, thresholds: HealthThresholds) -> list[tuple[str, str]]:
    failures = []
    loss, mean = figures.reconstruction_loss, figures.mean_predictor_loss
    if loss is not None and mean is not None and not loss < thresholds.reconstruction_share * mean:
        reason = (
            f"reconstruction loss {loss:.4f} on {figures.split} is {loss / mean:.3f} of the "
            f"{mean:.4f} that predicting the mean gives"
        )
        failures.append(("reconstruction", reason))
    loss, mean = figures.regression_loss, figures.mean_regression_loss
    if loss is not None and mean is not None and not loss < mean:
        reason = f"loss {loss:.3f} on {figures.split} is not below the {mean:.3f} of the mean"
        failures.append(("regression", reason))
    return failures


def _judge_r2(figures: StageFigures) -> list[tuple[str, str]]:
    failures = []
    for modality, value in (figures.r2 or {}).items():
        random = (figures.random_r2 or {}).get(modality)
        if random is not None and not value >= random:
            failures.append(
                (
                    "random",
                    f"mean R² of the {modality} features on {figures.split} is {value:.3f}, below "
                    f"the {random:.3f} of the untrained encoder",
                )
            )
    return failures
