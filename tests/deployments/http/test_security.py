"""Who is let in: keys that come and go, scopes, tokens, names of hosts, types of bodies; and whose data is whose."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from deployments.http.body import TimedBody
from deployments.http.gate import Gate
from deployments.http.issuer_keys import IssuerKeys
from ghostrouter.access.key_store import KeyStore
from ghostrouter.config.access import Access
from ghostrouter.errors import BodyTooSlow, StoreFailed, Unauthorized
from tests.deployments.in_process import Service
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask, code, key


def bearer(key: str) -> dict[str, Any]:
    return {"authorization": f"Bearer {key}"}


async def until_status(service: Service, status: int, **headers: str) -> None:
    async with asyncio.timeout(30):
        while (await service.get("/v1/models", **headers)).status != status:
            await asyncio.sleep(0.01)


async def test_keys_are_created_and_revoked_while_it_serves(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"folder": str(tmp_path), "refresh_s": 0.01})
    assert (await service.post(CHAT, ask())).status == 200
    store = KeyStore(f"sqlite:///{tmp_path}/access.sqlite")
    made = store.create("alice", {"models": ["far"], "scopes": ["call"]}, 1.0)
    await until_status(service, 401)
    mine = bearer(made)
    assert (await service.post(CHAT, ask(), **mine)).status == 200
    assert code(await service.post(CHAT, ask(model="small"), **mine)) == (403, "permission_denied")
    assert code(await service.post("/v1/feedback", {"session": "s", "rating": 1.0}, **mine)) == (
        403, "permission_denied",
    )  # fmt: skip
    store.revoke("alice", 2.0)
    await until_status(service, 401, **mine)
    assert (await service.get("/v1/models")).status == 401  # no key is left, and it stays locked
    await service.ingress.close()


async def test_nobody_is_let_in_while_the_keys_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "access.sqlite").write_bytes(b"no database" * 100)
    service = BudgetedService(tmp_path, access={"folder": str(tmp_path)})
    assert code(await service.post(CHAT, ask())) == (503, "store_failed")
    (tmp_path / "access.sqlite").unlink()
    assert (await service.post(CHAT, ask())).status == 200
    await service.ingress.close()


async def test_what_is_about_everybody_needs_the_scope_admin(tmp_path: Path) -> None:
    keys = [key("alice"), key("root", scopes=["admin"])]
    service = BudgetedService(tmp_path, access={"keys": keys})
    root, alice = bearer("key of root"), bearer("key of alice")
    for path in ("/v1/status", "/metrics", "/metrics/x"):
        assert [(await service.get(path, **who)).status for who in ({}, alice)] == [401, 403]
        assert (await service.get(path, **root)).status != 403
    assert (await service.get("//v1//status/", **alice)).status == 403
    assert (await service.post(CHAT, ask(), **root)).status == 403
    assert (await service.post("/v1/sessions/x/branch", {"at": 0, "model": "far"}, **root)).status == 403
    for path in ("/v1/budgets", "/v1/routing"):
        assert [(await service.get(path, **who)).status for who in ({}, alice, root)] == [401, 200, 200]
    service.root = "/ghost"  # mounted below a path
    assert [(await service.get("/v1/status", **who)).status for who in (alice, root)] == [403, 200]
    assert (await service.get("/healthz")).status == 200


async def test_without_keys_only_this_machine_is_admin(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    assert (await service.get("/v1/status")).status == 200
    assert (await service.get("/v1/status", x_forwarded_for="10.0.0.9")).status == 403
    service.client = "10.0.0.9"
    assert (await service.get("/v1/status")).status == 403
    assert (await service.post(CHAT, ask())).status == 200


async def test_a_page_of_a_stranger_cannot_use_a_service_without_keys(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path)
    for host in ("attacker.example:8000", "127.0.0.1.attacker.example", "a b", ""):
        assert code(await service.post(CHAT, ask(), host=host)) == (421, "host_not_served"), host
        assert (await service.get("/healthz", host=host)).status == 421
    for host in ("127.0.0.1:8000", "localhost:8000", "[::1]"):
        assert (await service.post(CHAT, ask(), host=host)).status == 200
    body = json.dumps(ask()).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"):
        assert code(await service.send("POST", CHAT, body, content_type=kind)) == (415, "unsupported_body")
    page = "https://attacker.example"
    assert (await service.send("POST", CHAT, body, origin=page)).status == 415
    assert (await service.send("POST", CHAT, body, origin=page, content_type="application/json")).status == 200
    assert (await service.send("POST", CHAT, body)).status == 200  # no browser
    assert (
        await service.send("POST", CHAT, body, origin="http://localhost", sec_fetch_site="same-origin")
    ).status == 200


async def test_with_keys_the_name_is_the_operator_s_matter(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice")]})
    assert (await service.get("/v1/models", host="any.example", **bearer("key of alice"))).status == 200
    named = BudgetedService(tmp_path, access={"keys": [key("alice")], "hosts": ["api.example.com"]})
    assert (await named.get("/v1/models", host="any.example", **bearer("key of alice"))).status == 421
    assert (await named.get("/v1/models", host="api.example.com", **bearer("key of alice"))).status == 200


async def test_answers_traces_and_jobs_are_read_by_their_owner_only(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("alice"), key("bob"), key("root", scopes=["admin"])]})
    alice = bearer("key of alice")
    chat = (await service.post(CHAT, ask(), **alice)).json["id"]
    stream = (await service.post(CHAT, ask(stream=True), **alice)).events()[0].id
    response = (await service.post("/v1/responses", {"model": "small", "input": "?"}, **alice)).json["id"]
    caller = {"handle": "alice", "account_id": "12345678"}
    call = {
        "caller": caller, "intent": {"class": "summarize"}, "target": {"type": "model", "alias": "small"}, "prompt": "?"
    }  # fmt: skip
    job = (await service.post("/call", call, **alice)).json["provenance"]["raw"]["session"]
    await service.ingress.events.settled()
    paths = [f"/v1/traces/{chat}", f"/v1/responses/{response}", f"/result/{job}"]
    for who, status in ((alice, 200), (bearer("key of bob"), 404), (bearer("key of root"), 403)):
        assert [(await service.get(path, **who)).status for path in paths] == [status] * 3
        assert (await service.post(CHAT, None, last_event_id=stream, **who)).status == status
    for path in (f"/jobs/{job}/cancel", f"/v1/responses/{response}/cancel"):
        assert (await service.post(path, **bearer("key of bob"))).status == 404
    assert (await service.get("/v1/traces", **bearer("key of bob"))).json["data"] == []
    assert (await service.get("/jobs", **bearer("key of bob"))).json["jobs"] == []
    rated = {"session": chat, "rating": -1.0}
    assert (await service.post("/v1/feedback", rated, **bearer("key of bob"))).status == 404


async def test_no_url_of_an_image_points_into_a_private_network(tmp_path: Path) -> None:
    def picture(url: str) -> Any:
        parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
        return {**ask(), "messages": [{"role": "user", "content": parts}]}

    public = {"base_url": "https://api.example/v1", "vision": True}
    for far, url, status in (
        (public, "https://example.com/a.png", 200),
        (public, "http://169.254.169.254/latest/meta-data", 400),
        (public, "http://0x7f.1/a.png", 400),
        ({"vision": True}, "https://example.com/a.png", 400),  # its server is on this machine, and would fetch it
        ({"vision": True, "fetches_images": True}, "https://example.com/a.png", 200),
        ({"vision": True}, "data:image/png;base64,AAAA", 200),
    ):
        service = BudgetedService(tmp_path, far=far)
        answer = await service.post(CHAT, picture(url))
        assert answer.status == status, (url, answer.body)


class Issuer:
    """An issuer's HTTP server."""

    def __init__(self) -> None:
        self.private = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.asked = 0
        self.is_down = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.is_down:
            return httpx.Response(500)
        if request.url.path == "/.well-known/openid-configuration":
            told = {"issuer": "https://login.example", "jwks_uri": "https://login.example/keys"}
            return httpx.Response(200, json=told)
        keys = [
            {**ECAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": name, "alg": "ES256", "use": "sig"}
            for name, private in self.private.items()
        ]
        return httpx.Response(200, json={"keys": keys})

    def token(self, key_id: str = "k1", **claims: Any) -> str:
        told = {"iss": "https://login.example", "aud": "ghost", "sub": "anna", "exp": 2000, "scope": "admin", **claims}
        return jwt.encode(told, self.private[key_id], "ES256", {"kid": key_id})


async def test_a_token_of_an_issuer_is_a_key(tmp_path: Path) -> None:
    settings = {"issuer": "https://login.example", "audience": "ghost", "scopes_claim": "scope"}
    access = Access.model_validate({"jwt": settings, "folder": str(tmp_path)})
    assert access.jwt
    issuer, now_s = Issuer(), [1000.0]
    keys = IssuerKeys(access.jwt, lambda: now_s[0], httpx.MockTransport(issuer.answer))
    gate = Gate(access, keys, clock=lambda: now_s[0])
    scope = {"client": ("127.0.0.1", 1)}

    async def admit(token: str) -> Any:
        return await gate.admit(Headers(bearer(token)), scope)

    issuer.is_down = True
    with pytest.raises(StoreFailed):
        await admit(issuer.token())
    issuer.is_down = False
    with pytest.raises(StoreFailed):  # it is not asked again at once
        await admit(issuer.token())
    now_s[0] += 11
    first = await admit(issuer.token())
    assert (first.caller.name, first.caller.scopes) == ("jwt:anna", ("admin",))
    assert (await admit(issuer.token(exp=3000))).owner == first.owner
    asked = issuer.asked
    issuer.private["k2"] = ec.generate_private_key(ec.SECP256R1())
    now_s[0] += 11
    assert (await admit(issuer.token("k2"))).caller.name == "jwt:anna"
    assert issuer.asked == asked + 2
    for wrong in (issuer.token(exp=900), issuer.token(aud="other"), "eyJh.x.y", "ghost-x"):
        with pytest.raises(Unauthorized):
            await admit(wrong)
    with pytest.raises(Unauthorized):  # a token that is needed is needed from this machine, too
        await gate.admit(Headers({}), scope)
    await gate.close()


async def test_a_body_has_to_arrive_in_time() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(BodyTooSlow):
            await receive()

    async def send(message: Message) -> None:
        raise AssertionError

    await TimedBody(app, 0.01)({"type": "http"}, never, send)
