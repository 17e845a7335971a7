"""Data sets, one kind a file, each with `read(**options) -> DataSet`; what readers share; in `formats`, the parsers."""
