"""Configuration: commonroom.toml as typed, documented settings."""

from commonroom.config.addresses import ListenAddress
from commonroom.config.c2s import ResourceConflict
from commonroom.config.load import ConfigError, Fault, load, parse
from commonroom.config.log import LogFormat, LogLevel
from commonroom.config.render import render
from commonroom.config.sasl import Mechanism
from commonroom.config.schema import Settings
from commonroom.config.tls import KeyPair, TlsVersion

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
