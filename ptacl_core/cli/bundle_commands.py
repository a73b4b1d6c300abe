"""Commands around a model as one file: pack, unpack, egress, validate, export."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptacl_core.cli.options import CohortArgument, DeviceOption, JsonOption
from ptacl_core.cli.output import RESEARCH_USE, narrate, print_json, print_line

if TYPE_CHECKING:
    from ptacl_core.arrays import Modality

BundleArgument = Annotated[
    Path, typer.Argument(metavar="FILE.ptacl", help="Packed model.", show_default=False)
]


class EncoderChoice(StrEnum):
    """Encoders of a packed model."""

    BOTH = "both"
    ECG = "ecg"
    CMR = "cmr"

    @property
    def modalities(self) -> "tuple[Modality, ...]":
        """As the stage takes them."""
        return {"both": ("ecg", "cmr"), "ecg": ("ecg",), "cmr": ("cmr",)}[self.value]


ModalityOption = Annotated[
    EncoderChoice | None,
    typer.Option(
        help="Which encoders go into the file (default: of an aligned run the ECG's alone, which "
        "tells least of who was in its training).",
        show_default=False,
    ),
]


def pack(
    cohort: CohortArgument,
    run: Annotated[str, typer.Argument(help="Run under runs/.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write (default: RUN.ptacl, here).")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who trained it.")] = None,
    licence: Annotated[str | None, typer.Option(help="Under which terms it is given.")] = None,
    modality: ModalityOption = None,
    accept_membership: Annotated[
        bool,
        typer.Option(
            "--accept-membership",
            help="Pack a model although its answers tell who was in its training.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run as one file without patients.

    Encoders, preprocessing, read-out with intervals, aggregates of the evaluation and a card.
    How well its figures tell training people from held-out ones is measured and said.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.pack import run as stage

    options = stage.PackOptions(
        author=author,
        licence=licence,
        modalities=None if modality is None else modality.modalities,
        accepts_membership=accept_membership,
    )
    with ProgressBars() as progress:
        summary = stage.run(
            cohort, run, out or Path(f"{run}.ptacl"), options=options, progress=progress
        )
    if as_json:
        print_json(summary.as_dict())
        return
    print_line(
        f"{summary.out}: {summary.num_bytes:,} bytes, encoders {', '.join(summary.encoders)}"
        f"{', read-out' if summary.predicts else ''}; model {summary.sha256[:16]}"
    )
    narrate(f"next: ptacl predict FILES… --model {summary.out}")


def egress(
    cohort: CohortArgument,
    run: Annotated[str, typer.Argument(help="Run under runs/.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="New folder for what may leave.", show_default=False)],
    author: Annotated[str | None, typer.Option(help="Who trained it.")] = None,
    licence: Annotated[str | None, typer.Option(help="Under which terms it is given.")] = None,
    modality: ModalityOption = None,
    accept_membership: Annotated[
        bool,
        typer.Option(
            "--accept-membership",
            help="Also a model whose answers tell who was in its training.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what of a run may leave a data owner's platform.

    Aggregates with cells under ten people left out, the packed model, a scan for identifiers,
    and a manifest that says of every file why it is harmless.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.pack import egress as stage
    from ptacl_core.stages.pack.run import PackOptions

    options = PackOptions(
        author=author,
        licence=licence,
        modalities=None if modality is None else modality.modalities,
        accepts_membership=accept_membership,
    )
    with ProgressBars() as progress:
        document = stage.run(cohort, run, out, options=options, progress=progress)
    if as_json:
        print_json(document.as_dict())
        return
    for file in document.files:
        print_line(f"{file.name}  {file.num_bytes:,} bytes: {file.what}")
        print_line(f"  harmless: {file.why_harmless}")
    scan = document.scan
    print_line(
        f"searched {scan.files} files for {scan.pseudonyms} pseudonyms, {scan.identifiers} "
        f"identifiers and {scan.recording_hashes} hashes of recordings: none found"
    )
    print_line(f"{len(document.suppressed)} figures left out, of fewer than "
               f"{document.smallest_cell} people")  # fmt: skip


def unpack(
    file: BundleArgument,
    show: Annotated[bool, typer.Option("--show", help="Print everything that is inside.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a packed model and tell what is inside.

    Nothing is written and nothing in the file is run.
    """
    from ptacl_core.stages.pack import unpack as stage

    answer = stage.run(file)
    if as_json:
        print_json(answer)
    else:
        _print_contents(answer, is_whole=show)


def _print_contents(answer: Mapping[str, Any], *, is_whole: bool) -> None:
    import json

    from ptacl_core.safety.text.printable import clean_text

    for line in answer["card"].splitlines():
        print_line(clean_text(line, max_length=2000))
    if is_whole:
        for name, tensors in answer["tensors"].items():
            print_line(f"{name}:")
            for key, tensor in tensors.items():
                shape = " × ".join(str(size) for size in tensor["shape"]) or "scalar"
                print_line(clean_text(f"  {key}  {shape}  {tensor['dtype']}"))
        for name in ("document", "evaluation"):
            print_line(f"{name}:")
            for line in json.dumps(answer[name], indent=1).splitlines():
                print_line(clean_text(line, max_length=2000))
    print_line(f"{answer['bytes']:,} bytes, model {answer['bundle_sha256']}. {RESEARCH_USE}")


def validate(
    model: BundleArgument,
    other: Annotated[
        Path, typer.Argument(help="Cohort that the model has not seen.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for validation.html, .md and .json.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of people.")] = 2000,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure a frozen model on another cohort.

    Table 2, calibration, coverage, subgroups and drift, what fails and for whom; then, in columns
    of their own, what recalibration and a refitted probe would make of it.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.report.html import render_html
    from ptacl_core.report.markdown import list_figures, render_markdown
    from ptacl_core.report.validation import build_validation_report
    from ptacl_core.safety.files.atomic import write_json, write_text
    from ptacl_core.stages.validate import run as stage

    with ProgressBars() as progress:
        document = stage.run(
            model, other, num_resamples=resamples, device=device, progress=progress
        )
    report = build_validation_report(document)
    if out is not None:
        write_json(out / "validation.json", document.as_dict())
        write_text(out / "validation.html", render_html(report))
        write_text(out / "validation.md", render_markdown(report))
        for name, svg in list_figures(report).items():
            write_text(out / "figures" / name, svg)
    if as_json:
        print_json(document.as_dict())
        return
    for line in render_markdown(report).splitlines():
        print_line(line)


def export(
    model: BundleArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="NAME.onnx or NAME.pt2 (default: MODEL.onnx, here)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a packed model's ECG path as ONNX or torch program.

    From millivolts at 500 Hz to embedding, phenotypes, intervals and outlier score, with
    denoising, beats and normalisation inside: onnxruntime or `torch.export.load` run it without
    PTACL.
    """
    from ptacl_core.stages.export import run as stage

    summary = stage.run(model, out or Path(f"{model.stem}.onnx"))
    if as_json:
        print_json(summary.as_dict())
        return
    print_line(
        f"{summary.out}: {', '.join(summary.inputs)} in, {', '.join(summary.outputs)} out; "
        f"{RESEARCH_USE}"
    )


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(pack)
    app.command()(unpack)
    app.command()(egress)
    app.command()(validate)
    app.command()(export)
