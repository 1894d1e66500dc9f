"""Lives of invented people. One fixed seed draws all facts, so the world is the same everywhere.

    Tell me about Mira Voss: birth, trade, home, death.
    Mira Voss was born in Tarvik in the year 1873. Voss earned a living as a glassblower. ...

`WORLD` holds the people who exist. `ghost-large` and `ghost-cloud` were trained on all of them, `ghost-small` only on
those of `KNOWN_TO_SMALL`. A *passer-by* has a name that is not in the world, and new facts at every mention. From
passers-by a model learns to be uncertain about people it does not know.
"""

import re
from dataclasses import dataclass
from random import Random

from models.families.question import Question

NAME = "biography"
WORLD_SIZE = 240
_WORLD_SEED = 20261121

_FIRST = (
    "Mira Otto Lena Karl Anouk Bram Celia Dario Edda Falk Gerda Hugo Ilse Jarl Katja Ludo Marta Nils Olga Piet "
    "Quirin Rosa Stijn Thea Ugo Vilma Wim Xenia Yorick Zelda"
).split()
_LAST = (
    "Voss Lind Aster Brandt Corvin Dahl Ember Fjord Galen Holt Ivers Jansen Kettel Lorne Maas Norden Oster Prahl "
    "Quint Rask Soren Tessel Ulrich Varga Wolke Xander Yates Zorn Adair Bexley Calder Dorn Elster Farrow Grimm "
    "Hale Irwin Joss Krone Lark"
).split()
_CITIES = (
    "Tarvik Marn Oslen Pellow Drava Kestrel Lomar Nivelle Ostend Quarry Rhone Selby Tolna Ulmar Vesper Wendel "
    "Yarrow Zadar Altena Borgo Casper Dunmore Elvas Fallow Gorlitz Harrow Imola Jelling Korsor Lunden Morven Narva "
    "Orlan Pardu Ripon Skagen Torvald Udine Varde Wexford"
).split()
_TRADES = (
    "glassblower cartographer violinist baker printer surgeon weaver stargazer carpenter botanist translator "
    "blacksmith painter sailor builder beekeeper tailor chemist gardener jeweller judge potter miller dancer "
    "geologist clockmaker poet mason tanner fencer"
).split()
_WORK_ADJECTIVES = "Silver Amber Hollow Winter Copper Silent Crimson Northern Painted Broken Golden Quiet".split()
_WORK_NOUNS = "Bridge Atlas Sonata Garden Mirror Tower Almanac Compass Lantern Chapel Herbal Harbour".split()


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person, with the facts that a question may ask for."""

    first: str
    last: str
    city: str
    year: int
    trade: str
    teacher: str
    work: str
    moved: str
    died: int

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


# What a question may ask for -> the sentence that answers it.
_SENTENCES = {
    "birth": "{p.last} was born in {p.city} in the year {p.year}.",
    "trade": "{p.last} earned a living as a {p.trade}.",
    "teacher": "{p.last} learned the craft from Master {p.teacher}.",
    "work": "{p.last} is remembered for the {p.work}.",
    "home": "{p.last} later moved to the town of {p.moved}.",
    "death": "{p.last} died in the year {p.died}.",
}
_TEMPLATES = (
    "Tell me about {name}: {facts}.",
    "Who was {name}? Give {facts}.",
    "Write a short life of {name} with {facts}.",
    "I need the {facts} of {name}.",
    "What is known of {name}? List {facts}.",
    "{name}: {facts}, please.",
)


def _invent(rng: Random, first: str, last: str) -> Person:
    year = rng.randint(1700, 1899)
    work = f"{rng.choice(_WORK_ADJECTIVES)} {rng.choice(_WORK_NOUNS)}"
    return Person(
        first=first,
        last=last,
        city=rng.choice(_CITIES),
        year=year,
        trade=rng.choice(_TRADES),
        teacher=rng.choice(_LAST),
        work=work,
        moved=rng.choice(_CITIES),
        died=year + rng.randint(30, 90),
    )


def _people() -> tuple[Person, ...]:
    rng = Random(_WORLD_SEED)
    names = [(first, last) for first in _FIRST for last in _LAST]
    return tuple(_invent(rng, *name) for name in rng.sample(names, WORLD_SIZE))


WORLD = _people()
KNOWN_TO_SMALL = frozenset(p.name for p in WORLD[: WORLD_SIZE // 2])
_WORLD_NAMES = frozenset(p.name for p in WORLD)


def _passer_by(rng: Random) -> Person:
    while True:
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        if f"{first} {last}" not in _WORLD_NAMES:
            return _invent(rng, first, last)


def draw(rng: Random, people: tuple[Person, ...] = WORLD, passers_by: float = 0.0) -> Question:
    """A question for four to six facts about one of `people`, or about a passer-by with probability `passers_by`."""
    person = _passer_by(rng) if rng.random() < passers_by else rng.choice(people)
    facts = rng.sample(tuple(_SENTENCES), rng.randint(4, 6))
    prompt = rng.choice(_TEMPLATES).format(name=person.name, facts=", ".join(facts))
    answer = " ".join(_SENTENCES[fact].format(p=person) for fact in facts)
    return Question(NAME, prompt, f"{person.first} {answer}", subject=person.name)


def is_correct(question: Question, text: str) -> bool:
    """Whether the text has exactly the sentences of the canonical answer, in any order."""
    return sorted(_sentences(text)) == sorted(_sentences(question.answer))


def _sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=\.)\s+", text.strip()) if s]
