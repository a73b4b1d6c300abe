"""Tables and arrays: CSV, Parquet, NPY, NPZ, HDF5."""
