import errno
import hashlib
import json
import os
import pickle

import pytest
import safetensors.torch
import torch
from torch import nn

from ptacl_core.checkpoint import (
    DOCUMENT_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    CheckpointDocument,
    CheckpointFolder,
    load_document,
    load_tensors,
    load_weights,
    save_checkpoint,
)
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import CheckpointError
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES


@pytest.fixture
def document():
    return CheckpointDocument(
        stage="ecg",
        step=4,
        settings=load_run_settings("tiny"),
        preprocessing=PreprocessSettings(),
        preprocessing_hash=PreprocessSettings().hash(),
        target_mean=(1.5,) * 10,
        target_sd=(2.0,) * 10,
        position={"step": 4, "best_loss": 0.1 + 0.2, "last_loss": None},
        files={},
    )


WEIGHTS = {"head.weight": torch.arange(6.0).view(2, 3) / 7, "count": torch.tensor(3)}


def save(folder, document):
    save_checkpoint(folder, document, {WEIGHTS_FILE: WEIGHTS, STATE_FILE: {"a": torch.ones(2)}})


def rewrite(folder, change):
    """Change the document as someone would who also fixes its hash."""
    path = folder / DOCUMENT_FILE
    body = json.loads(path.read_text())["document"]
    change(body)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({"sha256": digest, "document": body}))


def replace_weights(folder, data):
    """Put other bytes in place of the weights, with a document that vouches for them."""
    (folder / WEIGHTS_FILE).write_bytes(data)

    def vouch(body):
        body["files"][WEIGHTS_FILE] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "num_bytes": len(data),
        }

    rewrite(folder, vouch)


def test_everything_comes_back_bit_for_bit(tmp_path, document):
    folder = tmp_path / "step-00000004"
    save(folder, document)
    loaded = load_document(folder)
    assert loaded.model_copy(update={"files": {}}) == document
    assert loaded.lead_names == LEAD_NAMES
    assert loaded.target_names == PHENOTYPE_NAMES
    assert loaded.target_units[9] == "%"
    assert loaded.position["best_loss"] == 0.1 + 0.2
    tensors = load_tensors(folder, loaded, WEIGHTS_FILE)
    assert set(tensors) == set(WEIGHTS)
    assert all(torch.equal(tensors[name], value) for name, value in WEIGHTS.items())


def test_files_are_private(tmp_path, document):
    folder = tmp_path / "step-00000004"
    save(folder, document)
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


DAMAGES = {
    "weights bit": lambda f: flip(f / WEIGHTS_FILE, -3),
    "weights header bit": lambda f: flip(f / WEIGHTS_FILE, 12),
    "weights cut": lambda f: cut(f / WEIGHTS_FILE),
    "weights empty": lambda f: (f / WEIGHTS_FILE).write_bytes(b""),
    "weights longer": lambda f: (f / WEIGHTS_FILE).write_bytes(
        (f / WEIGHTS_FILE).read_bytes() + b"\0"
    ),
    "weights gone": lambda f: (f / WEIGHTS_FILE).unlink(),
    "state bit": lambda f: flip(f / STATE_FILE, -1),
    "document digit": lambda f: (f / DOCUMENT_FILE).write_text(
        (f / DOCUMENT_FILE).read_text().replace('"step": 4', '"step": 5')
    ),
    "document cut": lambda f: cut(f / DOCUMENT_FILE),
    "document empty": lambda f: (f / DOCUMENT_FILE).write_bytes(b""),
    "document list": lambda f: (f / DOCUMENT_FILE).write_text("[1, 2]"),
    "document deep": lambda f: (f / DOCUMENT_FILE).write_text("[" * 100_000),
    "document bytes": lambda f: (f / DOCUMENT_FILE).write_bytes(bytes(range(256)) * 9),
    "document huge": lambda f: (f / DOCUMENT_FILE).write_bytes(b" " * (2**22 + 1)),
    "document zeroed": lambda f: (f / DOCUMENT_FILE).write_bytes(b"\0" * 4096),
}


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(bytes(data))


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def load_all(folder):
    document = load_document(folder)
    return [load_tensors(folder, document, name) for name in (WEIGHTS_FILE, STATE_FILE)]


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_refused_in_words(tmp_path, document, kind):
    folder = tmp_path / "ecg" / "step-00000004"
    save(folder, document)
    DAMAGES[kind](folder)
    with pytest.raises(CheckpointError, match="ecg/step-00000004"):
        load_all(folder)


def test_no_flipped_byte_goes_unnoticed(tmp_path, document):
    folder = tmp_path / "step-00000004"
    save(folder, document)
    generator = torch.Generator().manual_seed(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        spots = torch.randint(len(whole), (60,), generator=generator).tolist()
        for spot in spots:
            data = bytearray(whole)
            data[spot] ^= 0x01
            path.write_bytes(bytes(data))
            with pytest.raises(CheckpointError):
                load_all(folder)
        path.write_bytes(whole)
    assert len(load_all(folder)) == 2


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


MALFORMED = {
    "pickle": pickle.dumps(_Bomb()),
    "zip": b"PK\x03\x04" + b"\0" * 100,
    "npy object": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "header longer than the file": (2**40).to_bytes(8, "little") + b"{}",
    "header of length zero": b"\0" * 8,
    "header no json": (4).to_bytes(8, "little") + b"{{{{",
    "offsets outside": (70).to_bytes(8, "little")
    + b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16000]}}'.ljust(70),
    "shape overflow": (90).to_bytes(8, "little")
    + b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}'.ljust(90)
    + b"\0" * 4,
    "unknown type": (70).to_bytes(8, "little")
    + b'{"a":{"dtype":"X99","shape":[1],"data_offsets":[0,4]}}'.ljust(70)
    + b"\0" * 4,
    "random": bytes(range(256)),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_or_malicious_weights_are_refused_and_run_nothing(
    tmp_path, monkeypatch, document, kind
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "step-00000004"
    save(folder, document)
    replace_weights(folder, MALFORMED[kind])
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_all(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_bytes_are_refused_in_words_or_harmless(tmp_path, document, count):
    folder = tmp_path / "step-00000004"
    save(folder, document)
    good = bytearray(safetensors.torch.save(WEIGHTS))
    generator = torch.Generator().manual_seed(1)
    refused = 0
    for _ in range(count):
        data = bytearray(good)
        for spot in torch.randint(len(data) // 2, (3,), generator=generator).tolist():
            data[spot] = int(torch.randint(256, (1,), generator=generator))
        replace_weights(folder, bytes(data))
        try:
            load_all(folder)
        except CheckpointError:
            refused += 1
    assert refused > 0.6 * count


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, document, value):
    folder = tmp_path / "step-00000004"
    save(folder, document)
    replace_weights(folder, safetensors.torch.save({"head.bias": torch.tensor([0.0, value])}))
    with pytest.raises(CheckpointError, match=r"not finite: head\.bias"):
        load_all(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body.update(kind="other-software"), "got 'other-software'"),
        (lambda body: body.update(version=7), "version 7"),
        (lambda body: body.update(step=-3), "'step'.*-3"),
        (lambda body: body.update(surprise=1), "unknown key 'surprise'"),
        (lambda body: body.update(lead_names=body["lead_names"][::-1]), "another order"),
        (lambda body: body.update(preprocessing_hash="0" * 16), "do not match their hash"),
        (lambda body: body["settings"].update(sed=3), "nearest: settings.seed"),
        (lambda body: body["files"].pop(WEIGHTS_FILE), "has no weights"),
    ],
)
def test_documents_of_another_kind_are_refused(tmp_path, document, change, words):
    folder = tmp_path / "step-00000004"
    save(folder, document)
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=words):
        load_all(folder)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("disk quota")]
)
def test_a_full_disk_is_named_and_earlier_checkpoints_stay(tmp_path, document, monkeypatch, error):
    checkpoints = CheckpointFolder(tmp_path / "ecg")
    checkpoints.save(document, WEIGHTS, {})

    def fail(target, data, **_):
        raise error

    monkeypatch.setattr("ptacl_core.checkpoint.write_bytes", fail)
    with pytest.raises(CheckpointError, match="earlier checkpoints are intact") as caught:
        checkpoints.save(document.model_copy(update={"step": 5}), WEIGHTS, {})
    assert str(error) in str(caught.value)
    monkeypatch.undo()
    latest = checkpoints.load_latest()
    assert latest is not None
    assert latest[0].step == 4
    assert [path.name for path in (tmp_path / "ecg").iterdir()] == ["step-00000004"]


def test_three_checkpoints_are_kept_and_none_after_the_end(tmp_path, document):
    checkpoints = CheckpointFolder(tmp_path / "ecg")
    for step in range(2, 12, 2):
        checkpoints.save(document.model_copy(update={"step": step}), WEIGHTS, {})
    names = sorted(path.name for path in (tmp_path / "ecg").iterdir())
    assert names == ["step-00000006", "step-00000008", "step-00000010"]
    assert not checkpoints.is_finished
    checkpoints.finish(document.model_copy(update={"step": 12}), WEIGHTS)
    assert [path.name for path in (tmp_path / "ecg").iterdir()] == ["final"]
    assert checkpoints.is_finished


def test_saving_again_at_the_same_step_replaces(tmp_path, document):
    checkpoints = CheckpointFolder(tmp_path / "ecg")
    checkpoints.save(document, WEIGHTS, {})
    checkpoints.save(document, {"only": torch.ones(1)}, {})
    latest = checkpoints.load_latest()
    assert latest is not None
    assert set(latest[1]) == {"only"}


def test_without_any_checkpoint_there_is_nothing_to_load(tmp_path):
    assert CheckpointFolder(tmp_path / "ecg").load_latest() is None
    assert not CheckpointFolder(tmp_path / "ecg").has_any


def test_a_first_checkpoint_that_was_cut_off_is_said_and_counts_as_none(tmp_path, narrator):
    sink = narrator()
    (tmp_path / "ecg" / "step-00000002").mkdir(parents=True)
    (tmp_path / "ecg" / "step-00000002" / WEIGHTS_FILE).write_bytes(b"half")
    checkpoints = CheckpointFolder(tmp_path / "ecg", progress=sink)
    assert checkpoints.load_latest() is None
    assert "ecg/step-00000002 was cut off" in sink.lines[0]


def test_when_all_are_damaged_nothing_restarts_silently(tmp_path, document, narrator):
    checkpoints = CheckpointFolder(tmp_path / "ecg", progress=narrator())
    for step in (1, 2):
        checkpoints.save(document.model_copy(update={"step": step}), WEIGHTS, {})
        flip(tmp_path / "ecg" / f"step-0000000{step}" / WEIGHTS_FILE, -1)
    with pytest.raises(CheckpointError, match=r"no checkpoint of stage ecg.*00000002.*00000001"):
        checkpoints.load_latest()


def test_weights_that_do_not_fit_are_named():
    module = nn.Linear(3, 2)
    weights = {"weight": torch.zeros(5, 5), "scale": torch.zeros(1)}
    with pytest.raises(CheckpointError) as caught:
        load_weights(module, weights, place="align/final")
    text = str(caught.value)
    assert "align/final" in text
    assert "missing: bias" in text
    assert "unknown: scale" in text
    assert "weight (5, 5) instead of (2, 3)" in text
