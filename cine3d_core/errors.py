"""Errors that people cause, told in one sentence.

What is wrong is the same everywhere; what to do is not, since a setting is an option on the command
line and a field in Blender. So a remedy names the setting, and the front end says how it calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

# What a person can do about networks, as the command line calls it.
COMMANDS = {
    "get_network": "cine3d models get",
    "add_network": "cine3d models add NAME FOLDER",
    "remove_network": "cine3d models remove",
    "list_networks": "cine3d models list",
    "install_package": "pip install",
    "upgrade_package": "pip install --upgrade",
}


class OptionNames(dict[str, str]):
    """How the command line calls a setting, and what can be done about networks."""

    def __missing__(self, setting: str) -> str:
        """`size` is --size."""
        return COMMANDS.get(setting) or "--" + setting.replace("_", "-")


class InputError(ValueError):
    """Something a person gave cannot be used: what came, what was wanted, what to do.

    `str` of it is the command line's sentence.

    Args:
        reason: what came and what was wanted, with what to do where that is the same everywhere.
        remedies: each a way out in a few words, in which `{size}` stands for that setting, and
            `{get_network}` for one of `COMMANDS`.
    """

    def __init__(self, reason: str, *remedies: str) -> None:
        super().__init__(reason, *remedies)
        self.reason, self.remedies = reason, remedies

    def __str__(self) -> str:
        """The sentence for the command line."""
        return self.told(OptionNames())

    def told(self, names: Mapping[str, str]) -> str:
        """The sentence of a front end that calls its settings so; what it lacks is left out.

        Args:
            names: setting -> how the front end calls it.
        """
        has_all = isinstance(names, OptionNames)
        ways = [
            remedy.format_map(names)
            for remedy in self.remedies
            if has_all or all(setting in names for setting in _settings_in(remedy))
        ]
        return "; ".join([self.reason, *([", or ".join(ways)] if ways else [])])


class PanoramaError(InputError):
    """A picture of all directions came without a word on which view of it is meant."""


class DeviceError(InputError):
    """A graphics card that cannot do what was asked; the CPU could, if the person lets it."""


def _settings_in(remedy: str) -> list[str]:
    return [setting for _, setting, _, _ in Formatter().parse(remedy) if setting]
