"""Tokens as keys."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ghostrouter.access.jwt_tokens import TokenRules, is_token, key_id, read
from ghostrouter.access.keys import Caller
from ghostrouter.errors import Unauthorized

PRIVATE = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": "https://login", "aud": "ghost", "sub": "u1", "exp": 1000, "scope": "admin call other", "grp": "red"}
RULES = TokenRules("https://login", "ghost", ["ES256"], "sub", None, None, 30.0, Caller("jwt", "blue"))


def signed(key: Any = PRIVATE, algorithm: str = "ES256", **changes: Any) -> str:
    claims = {k: v for k, v in {**CLAIMS, **changes}.items() if v is not None}
    return jwt.encode(claims, key, algorithm, {"kid": "k1"})


def checked(token: str, rules: TokenRules = RULES, now_s: float = 900.0) -> Any:
    return read(token, PRIVATE.public_key(), rules, now_s)


def test_a_token_names_its_caller_and_its_owner() -> None:
    token = signed()
    assert is_token(token) and key_id(token) == "k1" and not is_token("ghost-abc")
    found = checked(token)
    assert (found.caller.name, found.caller.team, found.caller.scopes) == ("jwt:u1", "blue", ("call", "feedback"))
    assert checked(signed(exp=2000)).owner == found.owner != checked(signed(sub="u2")).owner


def test_claims_decide_about_scopes_and_team_if_they_are_named() -> None:
    rules = TokenRules("https://login", "ghost", ["ES256"], "sub", "scope", "grp", 30.0, Caller("jwt", "blue"))
    found = checked(signed(), rules).caller
    assert (found.scopes, found.team) == (("call", "admin"), "red")
    assert checked(signed(scope=["feedback"], grp=None), rules).caller.scopes == ("feedback",)
    assert checked(signed(scope=None), rules).caller.scopes == ()
    assert checked(signed(scope=7), rules).caller.scopes == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other"}, {"aud": "other"}, {"aud": None}, {"exp": None}, {"sub": None}, {"exp": 800},
        {"exp": "soon"}, {"nbf": 2000}, {"sub": ""}, {"sub": "x" * 129},
    ],
)  # fmt: skip
def test_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        checked(signed(**changes))


def test_a_token_is_refused_if_anybody_else_signed_it_or_nobody() -> None:
    secret = "x" * 32
    rs = signed(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256")
    unsigned = jwt.encode(CLAIMS, "", "none")
    for token in (signed(OTHER), rs, unsigned, signed(secret, "HS256"), signed()[:-4] + "AAAA", "eyJ.a.b"):
        with pytest.raises(Unauthorized):
            checked(token)
    with pytest.raises(Unauthorized):
        key_id("eyJ.a.b")


def test_the_issuer_s_clock_may_be_off_a_little() -> None:
    checked(signed(exp=880))
    with pytest.raises(Unauthorized):
        checked(signed(exp=869))
