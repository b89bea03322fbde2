"""The composition root: puts the parts together, starts and stops them."""

from commonroom.app.composition import Core, Surroundings, build_core, stream_settings

__all__ = ["Core", "Surroundings", "build_core", "stream_settings"]
