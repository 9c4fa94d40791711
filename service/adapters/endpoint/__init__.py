"""The way to an OpenAI-compatible endpoint: one client that waits, retries, steps down and gives up by a policy.

`client` is the loop that acts, `policy` the value that decides, `sending` the way of one request, by `limits`, past the
gate of `outage` and into the journal (`journalling`). `memory` is what an endpoint was found to take, `failures` what
went wrong on the way, `network` where secrets are added and no sooner.
"""

from service.adapters.endpoint.client import Endpoint
from service.adapters.endpoint.configuration import Attempt, EndpointSettings, Hold, Overrides, pinned
from service.adapters.endpoint.journalling import to_its_end
from service.adapters.endpoint.memory import Memory
from service.adapters.endpoint.network import open_transport
from service.adapters.endpoint.probing import Probe
from service.adapters.endpoint.sending import PATH

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
    "to_its_end",
]
