"""The configuration: TOML in, validated `model.settings` out, every problem at once.

Reads one file and never writes one. Knows no secret beyond passing it on: no value of a password key ever stands in
an error or warning.
"""

from daemon.config.load import load_settings

__all__ = ["load_settings"]
