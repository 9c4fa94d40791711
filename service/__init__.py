"""Précis: summaries that a reader can check."""

__version__ = "0.1.0"
