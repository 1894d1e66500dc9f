"""The scorers: each file gives one term in US dollars. The score of a model is their sum; a higher score is better."""

from collections.abc import Callable

from ghostrouter.money import Worth
from ghostrouter.policy.option import Option
from ghostrouter.policy.scorers.load import load
from ghostrouter.policy.scorers.price import price
from ghostrouter.policy.scorers.quality import quality
from ghostrouter.policy.scorers.wait import wait

Scorer = Callable[[Option, Worth], float]

SCORERS: dict[str, Scorer] = {"quality_usd": quality, "price_usd": price, "wait_usd": wait, "load_usd": load}
