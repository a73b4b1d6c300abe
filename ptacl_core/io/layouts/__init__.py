"""Data sets by name: one TOML file each says where a data set keeps people, visits and tables."""
