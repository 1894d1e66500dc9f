"""JSON Web Tokens as keys (RFC 7519, RFC 8725): what a token's claims allow. Time and keys are passed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt

from ghostrouter.access.keys import RIGHTS, Caller
from ghostrouter.errors import Unauthorized

_NAME_LENGTH = 128


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Which tokens are accepted, and who their callers are. A claim that is None is not read."""

    issuer: str
    audience: str
    algorithms: Sequence[str]
    name_claim: str
    scopes_claim: str | None
    team_claim: str | None
    leeway_s: float
    caller: Caller


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who has sent a token. `owner` stays the same when the token is renewed."""

    caller: Caller
    owner: str


def is_token(key: str) -> bool:
    """Whether a key has the form of a signed token."""
    return key.count(".") == 2 and key.startswith("eyJ")


def key_id(token: str) -> str | None:
    """The id of the key that has signed a token; None if it names none.

    Raises:
        Unauthorized: it is no token.
    """
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        raise Unauthorized("The token is malformed.") from None
    return found if isinstance(found, str) else None


def read(token: str, key: Any, rules: TokenRules, now_s: float) -> Bearer:
    """Check a token with the issuer's public key.

    Raises:
        Unauthorized: the token is not valid; the message says why, without its content.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=list(rules.algorithms),
            audience=rules.audience,
            issuer=rules.issuer,
            options={
                "require": ["exp", "iss", "aud", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False
            },
        )  # fmt: skip
        times = {name: float(claims[name]) for name in ("exp", "nbf") if name in claims}
    except jwt.PyJWTError as error:
        raise Unauthorized(f"The token is not valid: {type(error).__name__}.") from None
    except (TypeError, ValueError):
        raise Unauthorized("The token is not valid: a time in it is no number.") from None
    if times["exp"] + rules.leeway_s <= now_s or times.get("nbf", 0.0) - rules.leeway_s > now_s:
        raise Unauthorized("The token has expired or is not valid yet.")
    return Bearer(_caller(claims, rules), f"jwt:{rules.issuer}\n{claims['sub']}")


def _caller(claims: Mapping[str, Any], rules: TokenRules) -> Caller:
    name = claims.get(rules.name_claim)
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LENGTH:
        raise Unauthorized(f"The token has no claim `{rules.name_claim}` that could name its caller.")
    found = replace(rules.caller, name=f"jwt:{name}")  # never the name of a key
    if rules.team_claim and isinstance(team := claims.get(rules.team_claim), str):
        found = replace(found, team=team)
    if rules.scopes_claim:
        told = claims.get(rules.scopes_claim, "")
        words = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
        found = replace(found, scopes=tuple(right for right in RIGHTS if right in words))
    return found
