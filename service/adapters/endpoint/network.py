"""The last step before the network: the transport, and where key, headers and query are added.

They are added below the client, so that neither its log lines nor its errors nor a recording ever hold them, and only
to requests for the configured origin.
"""

import base64
import ssl

import httpx

from service.adapters.endpoint.configuration import EndpointSettings
from service.core.errors import BadSettings

_MASK = "****"
_SHORTEST_SECRET = 4
_USUAL_PORTS = {"http": 80, "https": 443}


def base_url(settings: EndpointSettings) -> httpx.URL:
    """Give the base URL without user, password, query and fragment.

    Raises:
        BadSettings: it is none.
    """
    url = _parsed(settings)
    return url.copy_with(username=None, password=None, query=None, fragment=None, raw_path=url.raw_path.split(b"?")[0])


def shown(settings: EndpointSettings) -> str:
    """Give the base URL as messages name it."""
    return str(base_url(settings)).rstrip("/")


def secrets(settings: EndpointSettings) -> tuple[str, ...]:
    """Give everything that no message may hold, longest first."""
    proxy = settings.proxy or ""
    values = (
        settings.api_key,
        *settings.headers.values(),
        *settings.query.values(),
        _parsed(settings).password,
        httpx.URL(proxy).password if "@" in proxy else None,
    )
    # a value such as "1" is no secret, and would be masked in every number
    return tuple(sorted({value for value in values if value and len(value) >= _SHORTEST_SECRET}, key=len, reverse=True))


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """Give a text with every secret in it masked."""
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return text


def open_transport(settings: EndpointSettings) -> httpx.AsyncBaseTransport:
    """Make the transport that goes out to the network, for an endpoint or for a recorder around it.

    Raises:
        BadSettings: the proxy or the file of authorities cannot be used.
    """
    # the client's own slots decide how many are in flight; two more, so that a probe never waits for them
    most = settings.slots + 2
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=30.0)
    try:
        proxy = httpx.Proxy(settings.proxy) if settings.proxy else None
        return httpx.AsyncHTTPTransport(verify=_authorities(settings), proxy=proxy, limits=limits, trust_env=False)
    except (ValueError, httpx.InvalidURL, ImportError):
        # the error's own message may hold the password
        raise BadSettings(
            "The proxy of the endpoint (PRECIS_PROXY) cannot be used: give a URL such as http://proxy.example:3128."
        ) from None


class Origin(httpx.AsyncBaseTransport):
    """Adds key, headers and query to requests for the configured origin, and lets no other request through.

    Args:
        inner: sends them.
        settings: where the endpoint is and how to get in.

    Raises:
        BadSettings: a header or the key has characters that a header cannot hold.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, settings: EndpointSettings) -> None:
        self._inner = inner
        self._origin = _origin(base_url(settings))
        self._query = dict(settings.query)
        self._headers = _credentials(settings) | {name.lower(): value for name, value in settings.headers.items()}
        for name, value in self._headers.items():
            if not value.isascii() or not value.isprintable() or not name.isascii() or value != value.strip():
                what = "PRECIS_API_KEY" if name == "authorization" else f"The header {name!r} of the endpoint"
                raise BadSettings(
                    f"{what} holds white space at an end, or characters that a header cannot hold: paste it again."
                )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request with everything that opens the door."""
        if _origin(request.url) != self._origin:
            raise httpx.UnsupportedProtocol("the request is not for the configured origin", request=request)
        url = request.url.copy_merge_params(self._query) if self._query else request.url
        headers = httpx.Headers(request.headers)
        headers.update(self._headers)
        return await self._inner.handle_async_request(
            httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _parsed(settings: EndpointSettings) -> httpx.URL:
    try:
        url = httpx.URL(settings.base_url.strip())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in _USUAL_PORTS or not url.host:
        raise BadSettings(
            "The base URL of the endpoint (PRECIS_BASE_URL) is no HTTP address: give one such as "
            "https://api.openai.com/v1 or http://localhost:11434/v1."
        )
    return url


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _USUAL_PORTS.get(url.scheme)


def _credentials(settings: EndpointSettings) -> dict[str, str]:
    if settings.api_key:
        return {"authorization": f"Bearer {settings.api_key}"}
    url = _parsed(settings)
    if url.username or url.password:
        pair = f"{url.username}:{url.password}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _authorities(settings: EndpointSettings) -> ssl.SSLContext | bool:
    """Give what certificates are held against."""
    ca_file = settings.ca_file
    if not ca_file:
        # reading the usual authorities takes longer than a request; without TLS there is nothing to hold against them
        return _parsed(settings).scheme == "https" or bool(settings.proxy)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise BadSettings(
            f"The authorities of the endpoint (PRECIS_CA_FILE) cannot be read from {ca_file}: "
            f"{getattr(error, 'strerror', None) or 'it is no PEM file'}. Name a PEM file with certificates."
        ) from error
