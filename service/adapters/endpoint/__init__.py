"""The way to an OpenAI-compatible endpoint: one client that waits, retries, steps down and gives up by a policy.

`client` is the loop that acts, `policy` the value that decides, `limits` says when the next request may go, `memory`
what an endpoint was found to take, `failures` what went wrong on the way, `network` where secrets are added and no
sooner.
"""

from service.adapters.endpoint.client import PATH, Endpoint
from service.adapters.endpoint.configuration import Attempt, EndpointSettings, Hold, Overrides, pinned
from service.adapters.endpoint.memory import Memory
from service.adapters.endpoint.network import open_transport
from service.adapters.endpoint.probing import Probe

__all__ = [
    "PATH",
    "Attempt",
    "Endpoint",
    "EndpointSettings",
    "Hold",
    "Memory",
    "Overrides",
    "Probe",
    "open_transport",
    "pinned",
]
