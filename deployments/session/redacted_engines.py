"""Redacts the prompts for cloud models, and restores private text in their answers."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

from deployments.session.off_loop import characters, off_loop_if_long
from deployments.session.ports import Engines
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.errors import SegmentFailed
from ghostrouter.redact.answer_restorer import AnswerRestorer
from ghostrouter.redact.policy import Discretion
from ghostrouter.redact.prompt import PromptRedactor
from ghostrouter.redact.vault import Vault
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.client_growths import ClientGrowths
from ghostrouter.types import CloudPrompt, Frame, SegmentRequest


class RedactedEngines:
    """`Engines` that keep one vault per open session. Prompts of sessions that are not open pass as they are."""

    def __init__(self, engines: Engines, models: Mapping[str, LocalModel | CloudModel]) -> None:
        self._engines = engines
        self._models = models
        self._open: dict[str, tuple[Discretion, Vault]] = {}

    def open(self, session: str, discretion: Discretion) -> None:
        """Redact the prompts of a session from now on."""
        self._open[session] = discretion, Vault()

    def close(self, session: str) -> None:
        """Forget a session and its private text."""
        self._open.pop(session, None)

    def counts(self, session: str) -> dict[str, int]:
        """How many texts were redacted in a session's prompts, by kind."""
        return self._open[session][1].counts() if session in self._open else {}

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Raises SegmentFailed as the engines do."""
        discretion, vault = self._open.get(request.key.session.partition("/")[0], (Discretion("off"), Vault()))
        prompt = request.cloud
        restorer = None
        if prompt is not None and discretion.covers(self._models[request.model].trust):
            length = characters(prompt.messages) + len(repr(prompt.features.tools))  # descriptions are redacted, too
            redacted = await off_loop_if_long(length, _redacted, prompt, vault, discretion.addresses)
            request = replace(request, cloud=redacted)
            if len(vault):  # else the answer has nothing to restore
                restorer = AnswerRestorer(vault, prompt.features.schema is not None or prompt.features.json_object)
        try:
            async with aclosing(self._engines.stream(request)) as frames:
                async for frame in frames:
                    yield restorer.push(frame) if restorer else frame
        except SegmentFailed:
            if restorer and (rest := restorer.flush()):
                yield rest
            raise


def _redacted(prompt: CloudPrompt, vault: Vault, addresses: bool) -> CloudPrompt:
    return PromptRedactor(vault, addresses).prompt(prompt)


async def client_growths(ask: Ask, has_tokens: int = 0) -> ClientGrowths:
    """What the client gets of the answer to `ask`. In a thread where it is redacted: a scanner may have to be made."""
    if ask.behalf.discretion.covers_answers:
        return await asyncio.to_thread(ClientGrowths, ask, has_tokens)
    return ClientGrowths(ask, has_tokens)
