"""Errors that no handler foresaw: the client gets a 500, and the log gets no message of the error.

Starlette would raise them again, and the server would log them with their messages, which may hold a prompt.
"""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.error_response import error_response
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")


class UnexpectedErrors:
    """Answers them. A response that has begun breaks off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientDisconnect:
            log.info("request.left path=%s", scope["path"])  # in the middle of its body: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - it is answered and logged here
            if not has_begun and scope["type"] == "http":
                await error_response(error, scope["path"])(scope, receive, send)
                return
            log.error("response.broke_off error=%s", without_message(error))  # noqa: TRY400 - without its message
            raise RuntimeError("the response broke off") from None
