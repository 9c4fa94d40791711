"""Where the command begins: told to end before it is loaded, it ends."""

import subprocess
import sys

import pytest

LOADING = """
import os, signal, sys, types

class Loading(types.ModuleType):
    def __getattr__(self, name):
        if name == "main":
            return lambda: os.kill(os.getpid(), signal.{name})
        raise AttributeError(name)

import service
sys.modules["service.cli"] = service.cli = Loading("service.cli")
from service import entry
entry.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_sigterm_ends_the_process_also_where_the_system_would_not() -> None:
    """The first process of a container has no ending by default, so it is one of our own, with the code of a shell."""
    code = LOADING.replace("{name}", "SIGTERM")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert (ran.returncode, ran.stdout, ran.stderr) == (143, "", "")
