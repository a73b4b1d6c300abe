"""What the bad-file tests build with: the writers, the real samples, a folder of their own."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workshop:
    """What a case builds with: the writers, the real samples, a folder of its own."""

    files: ModuleType
    samples: Path
    folder: Path

    def steps(self, num_samples: int = 400) -> np.ndarray:
        return self.files.make_steps(num_samples)

    def save(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def sample(self, name: str, change: Callable[[bytes], bytes]) -> Path:
        """A real sample with its bytes changed."""
        return self.save(name, change((self.samples / name).read_bytes()))

    def swapped(self, name: str, old: str, new: str, encoding: str = "utf-8") -> Path:
        """A real sample with a piece of text replaced."""
        data = (self.samples / name).read_bytes()
        assert old.encode(encoding) in data
        return self.save(name, data.replace(old.encode(encoding), new.encode(encoding)))

    def wfdb(self, old: str = "", new: str = "", **options: Any) -> Path:
        """A WFDB record with a piece of its header replaced."""
        header = self.files.write_wfdb(self.folder, self.steps(), **options)
        text = header.read_text()
        assert old in text
        header.write_text(text.replace(old, new))
        return header

    def dicom(self, *groups: dict[str, Any], **attributes: Any) -> Path:
        dataset = self.files.dicom_dataset([{"steps": self.steps()} | group for group in groups])
        for name, value in attributes.items():
            setattr(dataset.WaveformSequence[0], name, value)
        return self.files.write_dicom(self.folder / "a.dcm", dataset)

    def edf(self, **options: Any) -> Path:
        return self.save("a.edf", self.files.edf_bytes(self.steps(1000), **options))

    def scp(self, **options: Any) -> Path:
        return self.save("a.scp", self.files.scp_bytes(self.steps(), **options))

    def npy(self, array: np.ndarray) -> Path:
        path = self.folder / "a.npy"
        np.save(path, array, allow_pickle=True)
        return path

    def truncated(self, name: str, keep: float) -> Path:
        """A real sample of which only the first part `keep` is left."""
        return self.sample(name, lambda data: data[: int(len(data) * keep)])

    def zip_of(self, name: str, members: dict[str, bytes]) -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return path

    def sparse(self, name: str, head: bytes, size: int) -> Path:
        """A file of `size` bytes that takes no room."""
        path = self.save(name, head)
        os.truncate(path, size)
        return path
