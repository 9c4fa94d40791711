"""Why there is no service: one line, where its log goes."""

import os
import sys
from collections.abc import Mapping

import structlog

from service import logs
from service.cli import exit_code
from service.core.errors import BadSettings, PrecisError

log = structlog.stdlib.get_logger(__name__)


def refused(error: BadSettings, environ: Mapping[str, str]) -> int:
    """Log what is wrong with the settings, as far as the environment alone tells where and how; returns the exit code.

    Raises:
        BadSettings: the log goes to standard error, where the command line says it.
    """
    if environ.get("PRECIS_LOG_STREAM") != "stdout":
        raise error
    fmt: logs.LogFormat = "console" if environ.get("PRECIS_LOG_FORMAT") == "console" else "auto"
    logs.configure(level="info", fmt=fmt, stream=sys.stdout)
    return failed(error)


def failed(error: PrecisError) -> int:
    """Log why the service ends; returns the exit code."""
    # several faults of settings stand in their message on a line each
    detail = " ".join(one.detail for one in error.errors) if len(error.errors) > 1 else error.detail
    # a volume may be somebody else's; Windows has no such number
    user = {"user": os.getuid()} if hasattr(os, "getuid") else {}
    log.error("service_failed", detail=detail, **user)
    return exit_code(error)
