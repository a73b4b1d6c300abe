"""Prepared arrays on disk, ready to train from: plain .npy shards and one Parquet manifest."""

from ptacl_core.shards.manifest import merge_manifests
from ptacl_core.shards.reader import ShardReader, find_preprocessing
from ptacl_core.shards.spec import COVARIATE_NAMES, SPLIT_NAMES
from ptacl_core.shards.split import assign_exact_splits, assign_split
from ptacl_core.shards.writer import (
    Rejection,
    ShardEntry,
    ShardWriter,
    count_rejections,
    is_complete_shard,
)

__all__ = [
    "COVARIATE_NAMES",
    "SPLIT_NAMES",
    "Rejection",
    "ShardEntry",
    "ShardReader",
    "ShardWriter",
    "assign_exact_splits",
    "assign_split",
    "count_rejections",
    "find_preprocessing",
    "is_complete_shard",
    "merge_manifests",
]
