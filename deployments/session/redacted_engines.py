"""Engines whose cloud prompts are redacted, and whose answers get back what was taken out."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

from deployments.session.ports import Engines
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.redact.policy import Discretion, redact_prompt
from ghostrouter.redact.vault import Restorer, Vault
from ghostrouter.types import Frame, SegmentRequest, Token


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
        """Forget a session and what was taken out of it."""
        self._open.pop(session, None)

    def counts(self, session: str) -> dict[str, int]:
        """How many texts of which kind were taken out of a session's prompts."""
        return self._open[session][1].counts() if session in self._open else {}

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Raises SegmentFailed as the engines do."""
        discretion, vault = self._open.get(request.key.session.partition("/")[0], (Discretion("off"), Vault()))
        restored = None
        if request.cloud is not None and discretion.covers(self._models[request.model].trust):
            # A long text that is full of what is private takes a tenth of a second: other answers go on meanwhile.
            request = replace(request, cloud=await asyncio.to_thread(redact_prompt, request.cloud, vault))
            restored = _Restored(vault)
        async with aclosing(self._engines.stream(request)) as frames:
            async for frame in frames:
                yield restored.frame(frame) if restored else frame


class _Restored:
    """Puts back what was taken out of the prompt, into the tokens of the answer."""

    def __init__(self, vault: Vault) -> None:
        self._restorer = Restorer(vault)

    def frame(self, frame: Frame) -> Frame:
        tokens = [self._token(t) for t in frame.tokens]
        end = frame.end
        if end is None:
            return replace(frame, tokens=tuple(tokens))
        held = [self._token(t) for t in end.held]
        rest = self._restorer.close()
        last = held or tokens
        if rest and last:
            last[-1] = last[-1]._replace(text=last[-1].text + rest)
        return replace(frame, tokens=tuple(tokens), end=replace(end, held=tuple(held)))

    def _token(self, token: Token) -> Token:
        return token._replace(text=self._restorer.feed(token.text))
