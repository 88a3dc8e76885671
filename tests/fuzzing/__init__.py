"""Files that were altered, and what reads them: see `tests/fuzz.py`."""
