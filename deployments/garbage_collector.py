"""Keep the pauses of Python's garbage collector short in processes that stream tokens."""

import gc


def spare_what_is_loaded() -> None:
    """Call this once, when a process has loaded what it keeps for life.

    A full collection looks at every object: for 0.17 s, if it has all that a replica imports to look at. No token is
    judged or sent meanwhile. From here on a collection looks only at what was made later.
    """
    gc.collect()
    gc.freeze()
