"""Where trouble began: the estimate that a rollback may go back to."""

from dataclasses import dataclass


@dataclass(slots=True)
class Trouble:
    """Whether risk is raised, and since which token (`onset`; None: it is not), with hysteresis."""

    onset: int | None = None
    _quiet_run: int = 0

    def push(self, at: int, risk: float, raised_from: float, quiet_below: float, quiet_tokens: int) -> None:
        """Take in the risk of the token at position `at`.

        Risk counts as raised from the first token at `raised_from` or above until `quiet_tokens` tokens in a row lie
        below `quiet_below`, and below `raised_from`.
        """
        if risk >= raised_from:
            self._quiet_run = 0
            if self.onset is None:
                self.onset = at
        elif self.onset is not None and risk < min(quiet_below, raised_from):
            self._quiet_run += 1
            if self._quiet_run >= quiet_tokens:
                self.onset = None
