"""Configuration: commonroom.toml as typed, documented settings."""

from commonroom.config.addresses import ListenAddress
from commonroom.config.load import ConfigError, Fault, load, parse
from commonroom.config.log import LogFormat, LogLevel
from commonroom.config.render import render
from commonroom.config.schema import (
    KeyPair,
    Mechanism,
    ResourceConflict,
    Settings,
    TlsVersion,
)

__all__ = [
    "ConfigError",
    "Fault",
    "KeyPair",
    "ListenAddress",
    "LogFormat",
    "LogLevel",
    "Mechanism",
    "ResourceConflict",
    "Settings",
    "TlsVersion",
    "load",
    "parse",
    "render",
]
