"""Estimate the onset: the token at which trouble began, where a rollback may cut."""

from dataclasses import dataclass


@dataclass(slots=True)
class OnsetTracker:
    """Tracks whether risk is raised, with hysteresis. `onset` is the token since which it is; None if it is not."""

    onset: int | None = None
    _quiet_run: int = 0

    def push(self, at: int, risk: float, raised_from: float, quiet_below: float, quiet_tokens: int) -> None:
        """Add the risk of the token at position `at`.

        Risk is raised from the first token at `raised_from` or above, until `quiet_tokens` tokens in a row are below
        both `quiet_below` and `raised_from`.
        """
        if risk >= raised_from:
            self._quiet_run = 0
            if self.onset is None:
                self.onset = at
        elif self.onset is not None and risk < min(quiet_below, raised_from):
            self._quiet_run += 1
            if self._quiet_run >= quiet_tokens:
                self.onset = None
