"""One native thread for a process of ours that works beside others."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Read by the native libraries when they are loaded, so it has to be there before the process."""
