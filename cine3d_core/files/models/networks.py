"""The one place that stages get their networks from: found once, opened once, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.models.installed import Installed, chosen
from cine3d_core.files.models.runtimes import open_model
from cine3d_core.files.models.store import (
    LoadedNetwork,
    ModelInfo,
    find_model,
    list_models,
    load_network,
)


class Networks:
    """The networks of this machine, each opened when it is first asked for, and kept.

    What was installed or exchanged since is noticed: a network is opened again when its folder or
    its checksum has changed.
    """

    def __init__(
        self,
        *,
        listed: Callable[[], list[ModelInfo]] = list_models,
        load: Callable[[str], LoadedNetwork] = load_network,
    ) -> None:
        """Empty at first.

        Args:
            listed: which of our networks are installed.
            load: reads one of them by name.
        """
        self._listed, self._load = listed, load
        self._kept: dict[str, tuple[object, Any]] = {}

    def info(self, name: str) -> ModelInfo | None:
        """What is known of one of our networks without reading its weights; None: not installed."""
        return next((info for info in self._listed() if info.name == name), None)

    def opened(self, name: str) -> LoadedNetwork | None:
        """One of our networks; None where it is not installed.

        Raises:
            InputError: its weights are damaged, or it is a network of another kind.
        """
        info = self.info(name)
        if info is None:
            return None
        if info.network != name:
            raise InputError(
                f"the model in {info.folder} is of the kind {info.network!r}, but a model of the "
                f"kind {name!r} is needed; install Cine3D's bundled model again"
            )
        return self._once(name, (info.folder, info.sha256), lambda: self._load(name))

    def required(self, name: str) -> LoadedNetwork:
        """One of our networks that nothing goes without.

        Raises:
            InputError: it is not installed, damaged, or of another kind.
        """
        loaded = self.opened(name)
        return self._load(find_model(name).name) if loaded is None else loaded

    def lent(self, name: str) -> LoadedNetwork:
        """One of our networks, not kept: the official ones are large, and asked one by one.

        Raises:
            InputError: it is not installed, or damaged.
        """
        return self._load(name)

    def classes(self, choice: str | None) -> tuple[Any, Installed] | None:
        """The chosen network of the shelf that tells what flows; None for the bundled one.

        Raises:
            InputError: the chosen network is not here, not whole, or its package is missing.
        """
        one = chosen("classes", choice)
        if one is None:
            return None
        model = self._once(
            "classes",
            (one.folder, one.checksum),
            lambda: open_model("UperNetForSemanticSegmentation", one.folder, one.folder.name),
        )
        return model, one

    def _once(self, name: str, version: object, opened: Callable[[], Any]) -> Any:
        kept = self._kept.get(name)
        if kept is None or kept[0] != version:
            kept = version, opened()
            self._kept[name] = kept
        return kept[1]
