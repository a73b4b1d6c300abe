"""Damaged, cut-off, newer and hostile packed models: one line and exit status 2, and no memory."""

import copy
import io
import json
import resource
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import ptacl_core
from ptacl_core.bundle.container import Container, write_members
from ptacl_core.bundle.model_file import (
    DOCUMENT_FILE,
    MEMBER_NAMES,
    READOUT_FILE,
    TARGETS_FILE,
    ModelFile,
    write_model_file,
)
from ptacl_core.documents.bundle import BundleDocument
from ptacl_core.errors import PtaclError
from ptacl_core.runs.bundled import load_bundled_tower

Case = tuple[str, Callable[[Path, bytes], object]]
ECG_FILE = "ecg.safetensors"


def read_all(path: Path) -> None:
    """Everything that a model file is read for."""
    model = ModelFile(path)
    model.verify()
    load_bundled_tower(model, "cmr")
    ptacl_core.load_model(path)


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def cut_offs() -> Iterator[Case]:
    for share in np.linspace(0.0, 0.999, 30):
        yield (
            f"cut off at {share:.3f}",
            lambda path, data, share=share: path.write_bytes(data[: int(share * len(data))]),
        )
    for last in (1, 2, 21, 22, 23, 46, 100):
        yield f"without {last} bytes", lambda path, data, last=last: path.write_bytes(data[:-last])
    yield "empty", lambda path, data: path.write_bytes(b"")
    yield "zeros", lambda path, data: path.write_bytes(bytes(1000))
    yield "text", lambda path, data: path.write_text("not a model\n" * 10)
    yield "a pickle", lambda path, data: path.write_bytes(b"\x80\x04cos\nsystem\n" * 9)
    yield "a folder", lambda path, data: path.mkdir()
    yield "missing", lambda path, data: None
    yield "something before", lambda path, data: path.write_bytes(b"MZ" * 50 + data)
    yield "something after", lambda path, data: path.write_bytes(data + bytes(50))


def rewrite(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def containers() -> Iterator[Case]:
    def with_extra(name: str) -> Callable[[Path, bytes], None]:
        return lambda path, data: rewrite(path, {**members_of(data), name: b"x"})

    for name in (
        "../escape",
        "/etc/passwd",
        "C:\\x",
        "run.py",
        "weights.pkl",
        "x\u202ey",
        "a\x1b[2J",
    ):
        yield f"a member {name!r}", with_extra(name)
    for name in sorted(MEMBER_NAMES - {"evaluation.json"}):
        yield (
            f"without {name}",
            lambda path, data, name=name: rewrite(
                path, {key: text for key, text in members_of(data).items() if key != name}
            ),
        )
    yield (
        "deflated members",
        lambda path, data: rewrite(path, members_of(data), zipfile.ZIP_DEFLATED),
    )
    yield (
        "a bomb of 64 MiB of zeros",
        lambda path, data: rewrite(
            path, {**members_of(data), READOUT_FILE: bytes(2**26)}, zipfile.ZIP_DEFLATED
        ),
    )
    yield "many members", _many_members
    yield "a member twice", _twice
    yield "a comment", _comment
    yield "members that overlap", _overlap
    for name, offset, form, value in (
        ("a member of 4 GiB", 24, "<I", 2**32 - 1),
        ("a size that is not there", 24, "<I", 2**31),
        ("a stored size that is not there", 20, "<I", 2**31),
        ("an offset beyond the end", 42, "<I", 2**31),
        ("an encrypted member", 8, "<H", 1),
        ("bzip2", 10, "<H", 12),
        ("an unknown method", 10, "<H", 99),
        ("a wrong check sum", 16, "<I", 7),
        ("a long name", 28, "<H", 65535),
        ("a long extra field", 30, "<H", 65535),
        ("a wrong signature", 0, "<I", 7),
    ):
        yield (
            name,
            lambda path, data, offset=offset, form=form, value=value: path.write_bytes(
                _patch_directory(data, offset, form, value)
            ),
        )
    for name, offset, value in (
        ("65535 members", 10, 65535), ("no member", 10, 0), ("a directory of 4 GiB", 12, 2**32 - 1),
        ("a directory elsewhere", 16, 2**32 - 1), ("a directory at 0", 16, 0),
    ):  # fmt: skip
        form = "<H" if value <= 65535 and offset == 10 else "<I"
        yield (
            name,
            lambda path, data, offset=offset, form=form, value=value: path.write_bytes(
                _patch(data, len(data) - 22 + offset, form, value)
            ),
        )


def _patch(data: bytes, offset: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


def _patch_directory(data: bytes, offset: int, form: str, value: int) -> bytes:
    start = struct.unpack_from("<I", data, len(data) - 6)[0]
    return _patch(data, start + offset, form, value)


def _many_members(path: Path, data: bytes) -> None:
    rewrite(path, {**members_of(data), **{f"{number}": b"" for number in range(3000)}})


def _twice(path: Path, data: bytes) -> None:
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as archive:
        for name, content in [*members_of(data).items(), (DOCUMENT_FILE, b"{}")]:
            archive.writestr(name, content)


def _comment(path: Path, data: bytes) -> None:
    rewrite(path, members_of(data))
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"x" * 100


def _overlap(path: Path, data: bytes) -> None:
    """All members at the place of the first: one kernel, listed many times."""
    start = struct.unpack_from("<I", data, len(data) - 6)[0]
    changed = bytearray(data)
    while bytes(changed[start : start + 4]) == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<3H", changed, start + 28)
        struct.pack_into("<I", changed, start + 42, 0)
        start += 46 + name + extra + comment
    path.write_bytes(bytes(changed))


def with_document(change: Callable[[dict], object]) -> Callable[[Path, bytes], None]:
    def write(path: Path, data: bytes) -> None:
        members = members_of(data)
        values = json.loads(members[DOCUMENT_FILE])
        change(values)
        write_members(path, {**members, DOCUMENT_FILE: json.dumps(values).encode()})

    return write


def with_text(text: bytes) -> Callable[[Path, bytes], None]:
    return lambda path, data: write_members(path, {**members_of(data), DOCUMENT_FILE: text})


def put(key: str, value: object) -> Callable[[dict], None]:
    *way, last = key.split(".")

    def change(values: dict) -> None:
        for part in way:
            values = values[part]
        values[last] = value

    return change


def documents() -> Iterator[Case]:
    for name, text in (
        ("not JSON", b"{"), ("a list", b"[]"), ("a number", b"1"), ("null", b"null"),
        ("nested 100,000 times", b"[" * 100_000), ("nested 200 times", b"[" * 200 + b"]" * 200),
        ("deep objects", b'{"settings":' * 30 + b"{}" + b"}" * 30),
        ("a number of 10,000 digits", b'{"version":' + b"9" * 10_000 + b"}"),
        ("not UTF-8", b"\xff\xfe\x00"), ("five MiB", b" " * (5 * 2**20)),
    ):  # fmt: skip
        yield f"a document that is {name}", with_text(text)
    for key, value in (
        ("version", 3), ("version", 999), ("version", -1), ("version", 0), ("version", "1"),
        ("version", None), ("kind", "ptacl-checkpoint"), ("kind", 7), ("name", "../../etc"),
        ("name", "\x1b[2J"), ("name", "a" * 100), ("name", None), ("unknown", 1),
        ("lead_names", ["I"]), ("lead_names", None), ("targets", []), ("encoders", {}),
        ("encoders.eeg", {}), ("encoders.ecg.stage", "finetune"),
        ("encoders.ecg.has_projection", 3),
        ("encoders.ecg.checkpoint_sha256", "x"), ("readout", None), ("readout.coverage", 2.0),
        ("readout.coverage", float("nan")), ("readout.groups", ["F"]), ("readout.groups", []),
        ("readout.groups", ["all"] * 65), ("view.crop_samples", 10**9), ("view.beat_mode", "other"),
        ("view.num_steps", -1), ("settings", {}), ("settings.unknown", 1),
        ("settings.ecg_encoder.dim", 10**9), ("settings.ecg_encoder.depth", 10**6),
        ("settings.ecg_encoder.dim", 64 * 10**3), ("settings.ecg_encoder.conv_width", 10**8),
        ("settings.ecg_encoder.mlp_dim", 10**9), ("settings.ecg_encoder.family", "other"),
        ("settings.cmr_encoder.size_px", 84 * 10**4), ("settings.cmr_encoder.depth", -1),
        ("settings.align.projection.dim", 10**9), ("settings.align.projection.dim", 7),
        ("settings.data.num_steps", 10**9), ("preprocessing.ecg.level", 10**9),
        ("preprocessing.ecg.duration_s", 1e12), ("preprocessing.cine.size_px", 10**6),
        ("preprocessing_hash", "0"), ("preprocessing.ecg.unknown", 1), ("files", {}),
        ("own_targets", []), ("own_targets", [{}]), ("own_targets", [1] * 65),
        ("files.other", {"sha256": "0" * 64, "num_bytes": 1}), ("training", {}),
    ):  # fmt: skip
        yield f"{key} = {str(value)[:30]}", with_document(put(key, value))


def with_tensors(name: str, change: Callable[[dict], object]) -> Callable[..., None]:
    def write(path: Path, parts) -> None:
        document, tensors = parts
        tensors = {key: dict(values) for key, values in tensors.items()}
        change(tensors[name])
        write_model_file(path, document, tensors=tensors, evaluation=None, card="")

    return write


def first(tensors: dict, prefix: str) -> str:
    return next(name for name in sorted(tensors) if name.startswith(prefix))


def spoil(prefix: str, make: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict], None]:
    def change(tensors: dict) -> None:
        name = first(tensors, prefix)
        tensors[name] = make(tensors[name])

    return change


def tensor_cases() -> Iterator[tuple[str, Callable[..., None]]]:
    makers: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "NaN": lambda values: np.full_like(values, np.nan),
        "infinite": lambda values: np.full_like(values, np.inf),
        "cut": lambda values: values[..., :-1],
        "empty": lambda values: values[:0],
        "of more dimensions": lambda values: values[None],
        "truth values": lambda values: np.ones(values.shape, bool),
    }
    for what, make in makers.items():
        for prefix in ("encoder.", "projection.layers"):
            yield f"{prefix} {what}", with_tensors(ECG_FILE, spoil(prefix, make))
        for prefix in ("coefficients", "intercept", "offsets", "detector.mean",
                       "detector.whitening", "detector.prototypes", "detector.radii",
                       "detector.scales"):  # fmt: skip
            yield f"{prefix} {what}", with_tensors(READOUT_FILE, spoil(prefix, make))
    for prefix in ("encoder.", "projection."):
        yield (
            f"no {prefix}",
            with_tensors(ECG_FILE, lambda tensors, p=prefix: tensors.pop(first(tensors, p))),
        )
    yield (
        "one weight more",
        with_tensors(ECG_FILE, lambda tensors: tensors.update({"encoder.extra": np.ones(1)})),
    )
    for name in ("coefficients", "offsets", "detector.mean", "num_calibration"):
        yield f"no {name}", with_tensors(READOUT_FILE, lambda tensors, name=name: tensors.pop(name))
    negative = spoil("offsets", lambda values: -np.abs(values))
    yield "intervals that are turned around", with_tensors(READOUT_FILE, negative)
    for what, make in makers.items():
        for prefix in ("value.coefficients", "value.offsets", "event.line", "event.covariance"):
            yield f"{prefix} {what}", with_tensors(TARGETS_FILE, spoil(prefix, make))
    for name in ("value.counts", "event.standard"):
        yield f"no {name}", with_tensors(TARGETS_FILE, lambda tensors, name=name: tensors.pop(name))
    for prefix in ("value.offsets", "event.covariance", "event.standard"):
        turned = spoil(prefix, lambda values: -np.abs(values))
        yield f"{prefix} turned around", with_tensors(TARGETS_FILE, turned)


FILE_CASES = [*cut_offs(), *containers(), *documents()]
TENSOR_CASES = list(tensor_cases())


def judge(path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PtaclError) as refused:
        read_all(path)
    assert refused.value.exit_code == 2
    said = str(refused.value)
    assert "\n" not in said
    assert 10 < len(said) < 900, said
    assert said.isprintable(), said
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 200, f"{grown_mib:.0f} MiB were taken before it was refused"


def test_there_are_many_cases():
    assert len(FILE_CASES) + len(TENSOR_CASES) >= 150


@pytest.mark.parametrize("case", FILE_CASES, ids=lambda case: case[0])
def test_a_bad_file_is_refused_in_one_line(case, bundle, tmp_path):
    path = tmp_path / "bad.ptacl"
    case[1](path, bundle.read_bytes())
    judge(path)


@pytest.mark.parametrize("case", TENSOR_CASES, ids=lambda case: case[0])
def test_bad_tensors_are_refused_though_their_hashes_agree(case, parts, tmp_path):
    path = tmp_path / "bad.ptacl"
    case[1](path, parts)
    judge(path)


def test_a_changed_byte_is_refused_or_changes_nothing(bundle, tmp_path):
    """Flags and dates of a zip mean nothing here; all else is under a hash."""
    data = bundle.read_bytes()
    contents = members_of(data)
    generator = np.random.default_rng(7)
    path = tmp_path / "changed.ptacl"
    num_refused = 0
    places = [*generator.integers(0, len(data), 60), *range(len(data) - 400, len(data))]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= int(generator.integers(1, 256))
        path.write_bytes(changed)
        try:
            ModelFile(path).verify()
        except PtaclError:
            num_refused += 1
        else:
            assert members_of(bytes(changed)) == contents
    assert num_refused > 0.7 * len(places)


def test_the_whole_file_is_read(bundle):
    model = ModelFile(bundle)
    model.verify()
    assert set(Container(bundle, names=MEMBER_NAMES).sizes()) == {
        DOCUMENT_FILE,
        *model.document.files,
    }
    assert (
        BundleDocument.parse(copy.deepcopy(model.document.as_dict()), source="x") == model.document
    )


def test_the_command_says_one_line(ptacl, bundle, tmp_path):
    bad = tmp_path / "bad.ptacl"
    bad.write_bytes(bundle.read_bytes()[:-30])
    for words in (("unpack", bad, "--show"), ("predict", "x.xml", "--model", bad)):
        answer = ptacl(*words)
        assert answer.exit_code == 2
        assert answer.out == ""
        assert len(answer.err.strip().splitlines()) == 1
    assert ptacl("unpack", bundle, "--show").exit_code == 0
