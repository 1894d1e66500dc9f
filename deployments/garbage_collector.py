"""When Python's garbage collector runs: hardly while a process starts, and not over what was loaded then."""

import gc

_USUAL = gc.get_threshold()
_RARE = (100_000, 50, 50)


def collect_rarely() -> None:
    """Call this before a process imports much. Imports make no garbage, but objects, and those trigger collections.

    They are a sixth of the processor time in which vLLM is imported.
    """
    gc.set_threshold(*_RARE)


def spare_what_is_loaded() -> None:
    """Call this once, when a process has loaded what it keeps for life. Collections are as frequent as usual again.

    A full collection looks at every object: for 0.17 s, if it has all that a replica imports to look at. No token is
    judged or sent meanwhile. From here on a collection looks only at what was made later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_USUAL)
