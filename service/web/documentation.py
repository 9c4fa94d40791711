"""The API's own documentation, with nothing fetched from elsewhere: `/docs`, `/docs/problems`, `/openapi.json`."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from service.core.errors import NotFound
from service.web import answers, openapi, problems

_DATA = Path(__file__).parent.parent / "_data"
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def handlers() -> list[HTTPRouteHandler]:
    """The routes of the documentation."""
    return [home, description, docs, problem_list, asset]


@get("/")
async def home() -> Redirect:
    """Send a person who comes without a path to the documentation."""
    return Redirect("/docs")


@get("/openapi.json")
async def description() -> Response[bytes]:
    """The OpenAPI description."""
    return answers.json(openapi.describe())


@get("/docs")
async def docs() -> Response[bytes]:
    """The description to read and try."""
    return _page("docs.html")


@get("/docs/problems")
async def problem_list() -> Response[bytes]:
    """What each problem code means; the `type` of a problem points here."""
    return _page("problems.html", kinds=list(problems.kinds()))


@get("/docs/assets/{name:str}")
async def asset(name: FromPath[str]) -> Response[bytes]:
    """A script, style or image of the documentation."""
    if name not in _ASSETS:
        raise NotFound(f"There is no asset {name!r}.")
    content = (_DATA / "docs" / name).read_bytes()
    return Response(content, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=86400"})


def _page(template: str, **values: object) -> Response[bytes]:
    environment = Environment(loader=FileSystemLoader(_DATA / "templates"), autoescape=True, undefined=StrictUndefined)
    body = environment.get_template(template).render(values).encode()
    return Response(body, media_type="text/html", headers={"Content-Security-Policy": _POLICY})
