"""Looks for people in files: rows of numbers as they stand, and solved for by what lies beside."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ptacl_core.bundle.model_file import ModelFile


def list_tensors(folder: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Every file of tensors under a folder, those inside packed models too."""
    for path in sorted(folder.rglob("*.safetensors")):
        yield path.name, load_file(path)
    for path in sorted(folder.rglob("*.ptacl")):
        model = ModelFile(path)
        for name in model.document.files:
            if name.endswith(".safetensors"):
                yield name, model.tensors(name)


def read_matrices(folder: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Every tensor as rows and as columns; those of read-outs as maps of embeddings."""
    matrices, maps = [], []
    for name, tensors in list_tensors(folder):
        for values in tensors.values():
            if values.size and values.ndim and values.dtype.kind == "f":
                rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
                matrices += [rows] if min(rows.shape) == 1 else [rows, rows.T]
                if name in ("readout.safetensors", "targets.safetensors"):
                    maps.append(rows)
    return matrices, maps


def derive(matrices: list[np.ndarray], maps: list[np.ndarray], dim: int):
    """Rows of `dim` numbers: as they stand, and after the maps, their inverses and shifts."""
    shifts = [np.zeros((1, dim)), *(array for array in maps if array.shape == (1, dim))]
    ways = [np.eye(dim)]
    for way in maps:
        if dim in way.shape and min(way.shape) > 1 and max(way.shape) <= 64:
            ways += [way, way.T, np.linalg.pinv(way), np.linalg.pinv(way).T]
    for matrix in matrices:
        for way in ways:
            if way.shape == (matrix.shape[1], dim):
                for shift in shifts:
                    yield matrix @ way + shift


def least_gap(points: np.ndarray, candidates) -> float:
    """How near any candidate comes to any point, in units of the points' spread."""
    scaled = points / (points.std(axis=0) + 1e-12)
    least = np.inf
    for candidate in candidates:
        rows = candidate / (points.std(axis=0) + 1e-12)
        squared = (rows**2).sum(axis=1)[:, None] + (scaled**2).sum(axis=1) - 2 * rows @ scaled.T
        least = min(least, float(np.sqrt(np.maximum(squared, 0)).min()))
    return least
