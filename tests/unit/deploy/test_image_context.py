"""The linter of the image's build context: the Dockerfile is clean, and each fault is told."""

import importlib.util
import shutil
from pathlib import Path

import pytest

IMAGE = Path(__file__).resolve().parents[3] / "scripts" / "deploy" / "image"
SPEC = importlib.util.spec_from_file_location("image_context", IMAGE / "context.py")
assert SPEC is not None and SPEC.loader is not None
context = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(context)
WHEELS = (
    "ptacl-0.1.0-py3-none-any.whl",
    "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    "safetensors-0.8.0-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A context as context.py makes it, with three small wheels."""
    wheels = tmp_path / "wheels" / "cpu"
    wheels.mkdir(parents=True)
    shutil.copy(IMAGE / "Dockerfile", tmp_path)
    for name in WHEELS:
        (wheels / name).write_bytes(name.encode())
    lines = [context.lock_line(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    (wheels / "lock.txt").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def test_a_whole_context_has_no_fault(folder):
    assert context.check_context(folder) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda at: (at / "wheels/cpu" / WHEELS[1]).write_bytes(b"other"), "under its hash"),
        (lambda at: (at / "wheels/cpu" / WHEELS[0]).unlink(), "PTACL's own wheel is missing"),
        (lambda at: (at / "cohort.key").write_text("secret"), "does not belong here"),
        (
            lambda at: (at / "wheels/cpu/nvidia_nccl-2-py3-none-manylinux_2_18_x86_64.whl")
            .write_bytes(b""),
            "wheels of CUDA",
        ),
        (lambda at: (at / "wheels/cpu/lock.txt").unlink(), "not in lock.txt"),
    ],
)  # fmt: skip
def test_each_fault_of_a_context_is_told(folder, spoil, words):
    spoil(folder)
    assert any(words in fault for fault in context.check_context(folder))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("USER 10001:10001", "USER 0", "not root's"),
        ("USER 10001:10001", "", "not root's"),
        ("COPY --from=build", "ADD --from=build", "use COPY"),
        ("--no-index", "", "without --no-index"),
        ("--require-hashes", "", "without --no-index and --require-hashes"),
        (" && rm -rf /var/lib/apt/lists/*", " && true", "package lists"),
        ("RUN ptacl --version", "RUN curl -O x && ptacl --version", "fetches by itself"),
        ("ENV LANG=C.UTF-8", "ENV API_TOKEN=1 LANG=C.UTF-8", "a secret"),
        ('CMD ["ptacl", "--help"]', "", "what runs"),
    ],
)
def test_each_fault_of_a_dockerfile_is_told(old, new, words):
    text = (IMAGE / "Dockerfile").read_text()
    assert context.check_dockerfile(text) == []
    assert old in text
    assert any(words in fault for fault in context.check_dockerfile(text.replace(old, new)))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", True),
        ("frozenlist-1-cp311-cp311-manylinux1_x86_64.manylinux_2_5_x86_64.whl", True),
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("nvidia_nccl-2-py3-none-manylinux_2_18_x86_64.whl", True),
        ("rpds-1-cp311-abi3-manylinux_2_39_x86_64.whl", False),
        ("numpy-2.4.6-cp312-cp312-manylinux_2_28_x86_64.whl", False),
        ("numpy-2.4.6-cp311-cp311-macosx_14_0_arm64.whl", False),
        ("numpy-2.4.6-cp311-cp311-manylinux_2_28_aarch64.whl", False),
        ("old-1-py2-none-any.whl", False),
        ("both-1-py2.py3-none-any.whl", True),
    ],
)
def test_wheels_of_other_machines_are_told(name, fits):
    assert context.fits_debian(name) is fits
