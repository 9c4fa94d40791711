"""Settings: one frozen value, read once, and where each part of it came from."""

from service.settings.fields import Settings
from service.settings.loading import Configured, Field, Loaded, Row, describe, load, render

__all__ = ["Configured", "Field", "Loaded", "Row", "Settings", "describe", "load", "render"]
