"""The rows of an evaluation: lines without learning first, then encoders and networks."""

from ptacl_core.arrays import Array, Float64, Modality
from ptacl_core.documents.table_two import NestedQuestion
from ptacl_core.embedding.patients import EvaluationSplit, fill_demographics
from ptacl_core.evaluate import Resamples, fit_linear_probe
from ptacl_core.evaluate.bars import Ridge, measure_label_curve
from ptacl_core.evaluate.bars.label_curve import NUM_DRAWS
from ptacl_core.stages.evaluate.bars import Bars
from ptacl_core.stages.evaluate.label_curves import ScoredCurve, describe_curve, score_curves
from ptacl_core.stages.evaluate.nested import ask_nested, predict_nested
from ptacl_core.stages.evaluate.table_two import LINEAR_PROBE, RIDGE, RowFacts, TableTwo


class EvaluationRows:
    """Table 2 of one run, with the label curves and the nested questions beside it."""

    def __init__(
        self,
        train: EvaluationSplit,
        test: EvaluationSplit,
        resamples: Resamples,
        bars: Bars | None,
    ) -> None:
        self.train, self.test, self.resamples = train, test, resamples
        probe = fit_linear_probe(fill_demographics(train, train), train.phenotypes)
        self.table = TableTwo(
            test.phenotypes, test.sex, resamples, probe.predict(fill_demographics(test, train))
        )
        self.nested: list[NestedQuestion] = []
        self._bar_curves: dict[str, ScoredCurve] = {}
        if bars is not None:
            self._add_bars(bars)

    def _add_bars(self, bars: Bars) -> None:
        for bar in bars.rows:
            scored = score_curves(
                [bar.curve], self.test.phenotypes, self.resamples, is_trained=False
            )
            over = None
            if bar.key.startswith("ridge-"):
                self._bar_curves[bar.modality] = scored
            else:
                over = self._bar_curves[bar.modality]
            curve = describe_curve(scored, over, num_draws=NUM_DRAWS)
            facts = RowFacts(label_curve=curve, note="no learning; not in the paper")
            self.table.add(
                bar.key, bar.name, bar.modality, RIDGE, bar.curve.with_all[None],
                is_trained=False, facts=facts,
            )  # fmt: skip
        self._ask_nested("mean-beat", "the mean beat", *bars.features["ecg"], is_trained=False)

    def add_features(
        self,
        key: str,
        name: str,
        modality: Modality,
        features: tuple[Array, Array],
        *,
        failures: tuple[str, ...] = (),
    ) -> None:
        """A linear probe on features of train and test, with the features' label curve."""
        train, test = features
        probe = fit_linear_probe(train, self.train.phenotypes)
        curve = measure_label_curve(Ridge(train, test), self.train.phenotypes)
        scored = score_curves([curve], self.test.phenotypes, self.resamples, is_trained=True)
        points = describe_curve(
            scored,
            self._bar_curves.get(modality),
            num_draws=NUM_DRAWS,
            untrained=[name] if failures else (),
        )
        self.table.add(
            key, name, modality, LINEAR_PROBE, probe.predict(test)[None],
            is_trained=True, facts=RowFacts(failures=failures, label_curve=points),
        )  # fmt: skip

    def add_network(
        self,
        key: str,
        name: str,
        modality: Modality,
        evaluation: str,
        predicted: Float64[Array, "row target"],
        *,
        failures: tuple[str, ...] = (),
    ) -> None:
        """A network's own predictions."""
        facts = RowFacts(failures=failures)
        self.table.add(
            key, name, modality, evaluation, predicted[None], is_trained=True, facts=facts
        )

    def ask(self, features: tuple[Array, Array], *, failures: tuple[str, ...]) -> None:
        """The nested question of the aligned ECG, the first one."""
        self._ask_nested("ecg", "the ECG", *features, is_trained=True, failures=failures)
        self.nested.insert(0, self.nested.pop())

    def _ask_nested(
        self,
        key: str,
        name: str,
        train: Array,
        test: Array,
        *,
        is_trained: bool,
        failures: tuple[str, ...] = (),
    ) -> None:
        without, both = predict_nested(self.train, self.test, train, test)
        self.nested.append(
            ask_nested(
                key, name, self.test.phenotypes, without, both[None], self.resamples,
                is_trained=is_trained, failures=failures,
            )
        )  # fmt: skip
