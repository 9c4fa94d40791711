"""Prompts over HTTP, to read: those there are, their versions, and how two versions differ."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath
from msgspec import Meta

from service.core import catalogue as of
from service.core import prompt_diff
from service.core.catalogue import Catalogue
from service.core.prompt_names import LATEST, select
from service.jobs import Jobs
from service.rendering import prompts
from service.web import answers, bodies

AnyRequest = Request[Any, Any, State]
Selector = Annotated[str, Meta(min_length=1, max_length=200)]


class Compared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which two versions to compare, each by number, label or digest."""

    from_: Annotated[
        Selector | None, Meta(description="The one that is held against; the parent of `to` when left out.")
    ] = msgspec.field(name="from", default=None)
    to: Annotated[Selector, Meta(description="The one that is looked at.")] = LATEST


@get("/prompts")
async def index(request: AnyRequest) -> Response[bytes]:
    """The prompts there are, with their versions."""
    return answers.json(prompts.prompt_list(_catalogue(request)))


@get("/prompts/{name:str}")
async def show(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """A prompt with its versions and history."""
    return answers.json(prompts.prompt_detail(name, _catalogue(request)))


@get("/prompts/{name:str}/versions/{version:str}")
async def show_version(request: AnyRequest, name: FromPath[str], version: FromPath[str]) -> Response[bytes]:
    """A version with its text, withdrawn or not, by number, label or digest."""
    catalogue = _catalogue(request)
    found = of.resolve(select(name, version), catalogue, withdrawn_too=True)
    return answers.json(prompts.version_detail(found, catalogue))


@get("/prompts/{name:str}/diff")
async def diff(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """How a version differs from another, by default from its parent."""
    catalogue = _catalogue(request)
    query = bodies.decode_query(request.query_params, Compared)
    b = of.resolve(select(name, query.to), catalogue, withdrawn_too=True).version
    if query.from_ is None:
        a = of.parent(b, catalogue)
    else:
        a = of.resolve(select(name, query.from_), catalogue, withdrawn_too=True).version
    return answers.json(prompt_diff.diff(a, b))


def _catalogue(request: AnyRequest) -> Catalogue:
    jobs: Jobs = request.app.state.jobs
    return jobs.catalogue


router = Router("/v1", route_handlers=[index, show, show_version, diff])
