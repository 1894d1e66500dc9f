"""Asks a provider to stop after a sentence, where an answer may go back to a cheaper model.

Without it the provider writes on, and is paid for it, until it notices that nobody reads any more.
"""

from collections.abc import Mapping
from typing import Any

from ghostrouter.config import CloudModel
from ghostrouter.types import CloudPrompt


def pause_fields(model: CloudModel, prompt: CloudPrompt) -> Mapping[str, Any]:
    """The fields that ask for it; empty if nobody wants a pause, or the model could not go on after one.

    A stop string could also be met in a thought or in the arguments of a tool, where there is no pause.
    """
    judged = model.calibration is not None and model.logprobs
    goes_on = model.continues in ("prefix", "assistant") and not model.reasons and not prompt.features.binds
    return model.pause_fields if prompt.pauses and judged and goes_on else {}
