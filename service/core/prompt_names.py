"""How prompt versions are named: `news`, `news@2`, `news@production`, `news@sha256:6907aa40`, `news@5+dirty.1a2b3c4d`.

`news` is the same as `news@latest`, and means the highest released version that is not withdrawn; `production` is a
label; a digest is told by at least its first 8 digits; the last form is what drafts and edited versions are called.
"""

import re

from service.core.errors import ConflictingReference, InvalidRequest
from service.core.prompts import DIRTY_DIGITS, NAME
from service.core.types import Value

LATEST = "latest"
"""What is computed, and so no label."""
LEAST_DIGITS = 8
"""Of a digest in a reference."""

_LABEL = re.compile(r"[a-z][a-z0-9._-]{0,60}")
_NUMBER = re.compile(r"[0-9]{1,6}")
_DIRTY = re.compile(rf"(?P<version>[0-9]{{1,6}})\+dirty\.(?P<digits>[0-9a-f]{{{DIRTY_DIGITS}}})")
_DIGEST = re.compile(rf"sha256:(?P<digits>[0-9a-fA-F]{{{LEAST_DIGITS},64}})")
_LOOKS_LIKE_NUMBER = re.compile(r"v?[0-9][0-9._-]*")
_LOOKS_LIKE_DIGEST = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},}}")
SHOWN = 80
"""Characters of what a caller sent that a message repeats."""


class Reference(Value, frozen=True, kw_only=True):
    """What a caller names: a prompt, and one of the others at most; none of them is its latest version."""

    name: str
    version: int | None = None
    dirty: str | None = None
    """First digits of the digest, beside `version`."""
    digest: str | None = None
    """As many of its first digits as were given."""
    label: str | None = None

    def __str__(self) -> str:
        if self.dirty is not None:
            return f"{self.name}@{self.version}+dirty.{self.dirty}"
        if self.digest is not None:
            return f"{self.name}@sha256:{self.digest}"
        chosen = self.label if self.version is None else self.version
        return f"{self.name}@{LATEST if chosen is None else chosen}"


def reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        ConflictingReference: it names two versions, such as a label and a number.
        InvalidRequest: it is no reference.

    >>> reference("news@2").version, reference("news@production").label, reference("news@latest").version
    (2, 'production', None)
    """
    name, at, rest = text.partition("@")
    if not NAME.fullmatch(name) or (at and not rest):
        raise _no_reference(text)
    return select(name, rest) if at else Reference(name=name)


def select(name: str, selector: str) -> Reference:
    """Read what stands behind the `@`: a number, a label, `latest`, `sha256:...` or a dirty version.

    Raises as `reference` does.

    >>> str(select("news", "5+dirty.1a2b3c4d"))
    'news@5+dirty.1a2b3c4d'
    """
    text = f"{name}@{selector}"
    parts = selector.split("@")
    if len(parts) > 1:
        if all(_selected(name, part) for part in parts):
            raise ConflictingReference(
                f"{shown(text)} names more than one version of {name}. Name one of them: a label moves, a number "
                "and a digest do not."
            )
        raise _no_reference(text)
    found = _selected(name, selector)
    if found is None:
        raise _no_reference(text)
    return found


def _selected(name: str, selector: str) -> Reference | None:
    if selector == LATEST:
        return Reference(name=name)
    if _NUMBER.fullmatch(selector):
        return Reference(name=name, version=int(selector))
    if dirty := _DIRTY.fullmatch(selector):
        return Reference(name=name, version=int(dirty["version"]), dirty=dirty["digits"])
    if digest := _DIGEST.fullmatch(selector):
        return Reference(name=name, digest=digest["digits"].lower())
    if label_fault(selector) is None:
        return Reference(name=name, label=selector)
    return None


def label_fault(text: str) -> str | None:
    """Why a text cannot be a label; None where it can.

    >>> label_fault("production")
    >>> label_fault("latest")
    'latest is computed, and cannot be set: it is the highest released version that is not withdrawn'
    """
    if text == LATEST:
        return f"{LATEST} is computed, and cannot be set: it is the highest released version that is not withdrawn"
    if _LOOKS_LIKE_NUMBER.fullmatch(text):
        return f"{shown(text)} looks like the number of a version"
    if text.startswith("sha256") or _LOOKS_LIKE_DIGEST.fullmatch(text):
        return f"{shown(text)} looks like a digest"
    if not _LABEL.fullmatch(text):
        return f"{shown(text)} is no label: a small letter, and up to 60 small letters, digits, . _ - behind it"
    return None


def shown(text: str) -> str:
    """As much of what a caller sent as a message repeats."""
    return repr(text[:SHOWN] + "…" * (len(text) > SHOWN))


def _no_reference(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"{shown(text)} is no reference to a prompt. Write a name, such as news, or news@2, news@production (a "
        f"label), news@sha256: and at least {LEAST_DIGITS} digits of a digest."
    )
