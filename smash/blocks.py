"""Work cut into blocks that fit in memory."""

from collections.abc import Iterator

CELLS = 2**19
"""Numbers held by one working array of a block: a few MiB, near the caches' size."""


def event_blocks(n_events: int, cells_per_event: int) -> Iterator[slice]:
    """Yields slices that cover `n_events` events in blocks of at most `CELLS` numbers."""
    size = max(1, CELLS // max(1, cells_per_event))
    for start in range(0, n_events, size):
        yield slice(start, min(start + size, n_events))


def slices(total: int, size: int) -> Iterator[slice]:
    """Yields slices of at most `size` that cover 0 to `total`."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
