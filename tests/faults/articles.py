"""Articles that nobody wrote: as many different ones as are wanted, short and long, the same for the same number."""

import random
from collections.abc import Mapping

LONG = 9
"""One article in so many is long: several chunks of the least size."""
AGAIN = 10
"""One article in so many is one that came before, word for word."""
_TOWNS = "Aldwick Barnoldby Caxton Dunsfold Elmstead Farlam Grindon Hartest Inkpen Kelling Lavenham Melbury".split()
_PEOPLE = ("Ana Ruiz", "Tom Okafor", "Mei Lindqvist", "Omar Haddad", "Ruth Fenwick", "Ivo Petrov", "Lena Marsh")
_WORKS = "bridge harbour library tramway reservoir hospital theatre lighthouse".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday".split()
_SENTENCES = (
    "The council of {town} voted on {day} to close the old {work}.",
    "Engineer {person} said the repairs to the {work} would cost ${cost} million.",
    "Traffic will reportedly be diverted through {town} until May {year}.",
    "{person} told reporters that {count} residents of {town} had signed a petition against the closure.",
    "The {work} was last inspected in {past}, when {count} faults were found.",
    "A spokesman for {town} declined to say who would pay the ${cost} million.",
    "Work on the {work} could begin in {year} if the ministry agrees.",
)


def article(number: int) -> str:
    """The text of an article; one in `AGAIN` repeats one that came before, one in `LONG` has many sentences."""
    chance = random.Random(f"article {number}")  # noqa: S311 - to be the same again
    if number % AGAIN == AGAIN - 1:
        return article(chance.choice([before for before in range(number) if before % AGAIN != AGAIN - 1]))
    most = 40 if is_long(number) else chance.randint(4, 6)
    first = f"The {chance.choice(_WORKS)} of {chance.choice(_TOWNS)} is file {number + 1000} of the county."
    sentences = [_SENTENCES[at % len(_SENTENCES)].format_map(_facts(chance)) for at in range(most)]
    return " ".join((first, *sentences))


def is_long(number: int) -> bool:
    """Whether an article has several chunks."""
    return number % LONG == 0


def _facts(chance: random.Random) -> Mapping[str, object]:
    return {
        "town": chance.choice(_TOWNS),
        "person": chance.choice(_PEOPLE),
        "work": chance.choice(_WORKS),
        "day": chance.choice(_DAYS),
        "cost": chance.randint(2, 900),
        "count": chance.randint(20, 9000),
        "year": chance.randint(2027, 2040),
        "past": chance.randint(1960, 2020),
    }
