"""GET /dashboard: the page. Its files come with the package, built from `dashboards/live/`; users need no Node."""

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# Only this server's own scripts, styles and answers. Nobody may put the page into a frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class Dashboard:
    """The files of the page, read once. All its links are relative, so it works behind any path prefix."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self._etags = {name: f'"{hashlib.sha256(body).hexdigest()[:32]}"' for name, body in self._files.items()}

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/dashboard", self.page, methods=["GET"]),
            Route("/dashboard/{name}", self.file, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        """The page. Its relative links need an address with a slash at the end. (`path` has lost it: `TidyPaths`.)"""
        if not request.scope["raw_path"].endswith(b"/"):
            return RedirectResponse("dashboard/", headers=_HEADERS)
        return self._file(request, "index.html")

    async def file(self, request: Request) -> Response:
        """One file."""
        return self._file(request, request.path_params["name"])

    def _file(self, request: Request, name: str) -> Response:
        body = self._files.get(name)
        if body is None:
            raise HTTPException(404)
        headers = {**_HEADERS, "etag": self._etags[name]}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=_TYPES[Path(name).suffix])
