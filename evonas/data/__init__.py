"""Data sets, one kind a file. Each file has `read(**options) -> DataSet`."""
