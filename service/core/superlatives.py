"""Words that set something above or apart from all else, and what of them its evidence bears out. In English."""

import re

_HIS = r"(?:the|an?|its|his|her|their|our|\w+['’]s?)"
_MOST = (
    "(?:larg|bigg|great|high|tall|long|old|young|rich|fast|slow|strong|weak|deadli|hott|cold|wett|low|small|deep|busi"
    "|costli|heavi|grav|saf|wealthi|hard)est|worst|best(?![- ](?:known|selling|friend|man|of))"
)
# What sets something above or apart from all else, and words of which the evidence for it has one.
_UNIQUE = "first|unprecedented|unparalleled|unique"
_FIRST_OF_ALL = (
    rf"{_HIS}\s+(?:very\s+)?first(?!\s+(?:half|days?|quarter|floor|names?|lady|minister|aid|weeks?|months?|years?|round"
    r"|phase|stage|part|point|step|of|two|three|four|few|and)\b)"
)
_SUPERLATIVES = tuple(
    (re.compile(rf"\b(?:{claims})\b", re.IGNORECASE), re.compile(rf"\b(?:{evidence})\b", re.IGNORECASE))
    for claims, evidence in (
        (
            rf"{_FIRST_OF_ALL}|first[- ](?:ever|time|to)|unprecedented|unparalleled|unique",
            rf"{_UNIQUE}|1st|inaugural|maiden|debut|pioneer\w*|never|predat\w*|no (?:one|other)|nobody|only",
        ),
        (
            rf"{_HIS}\s+(?:only|sole)",
            r"only|sole|solely|single|alone|no other|unique\w*|one|exclusive\w*|nobody else|none",
        ),
        (
            "never",
            r"never|ever|no one|nobody|none|nothing|not once|no \w+|(?:was|were|did)(?:n['’]t| not)",
        ),
        (
            r"(?:all|every)\s+(?:of|the|its|his|her|their|our|(?!over|time)[a-z]{4,})|everyone|everybody",
            r"all|every\w*|each|whole|entire(?:ty|ly)?|full|fully|complete(?:ly)?|total|any|no|none|nobody|both|always",
        ),
        (
            rf"{_MOST}|{_HIS}\s+most\s+(?!of\b)\w+",
            rf"{_MOST}|{_UNIQUE}|most|record|unmatched|unrivalled|no other|than any|top|leading|number one",
        ),
        (
            "most of|a majority",
            r"most|mostly|majority|much|many|more than half|bulk|nearly|almost|mainly|largely|\d+ ?(?:%|per ?cent)",
        ),
    )
)


def unmatched_superlative(claim: str, passage: str) -> str | None:
    """The first words of a claim that set something above or apart, where no words of the passage do so.

    >>> unmatched_superlative("It is the first film shot there.", "A film was shot there before.")
    'the first'
    >>> unmatched_superlative("It is the first film shot there.", "No film had ever been shot there: a pioneering act.")
    """
    found = ((claims.search(claim), evidence) for claims, evidence in _SUPERLATIVES)
    return next((match[0] for match, evidence in found if match and not evidence.search(passage)), None)
