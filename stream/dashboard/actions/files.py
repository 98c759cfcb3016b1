"""Actions that write files: pictures and exports."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mmgat.stream.dashboard.actions.base import Base
from mmgat.stream.errors import StreamError


class Files(Base):
    """The keys for pictures and exports.

    Attributes:
        folder: where files go.
    """

    folder: Path

    def action_picture(self) -> None:
        """Saves a picture of the screen."""
        self._save("mmgat", ".svg", lambda: self.export_screenshot(simplify=True))

    def action_export(self, key: str = "") -> None:
        """Writes all that sounded to a file; asks for the format if none is given."""
        from mmgat.stream.dashboard.export import FORMATS, sounded
        from mmgat.stream.dashboard.sheets.prompts import Choose

        if key:
            _, ending, make = FORMATS[key]
            self._save("mmgat-events", ending, lambda: make(sounded(self.view.state.heard())))
        elif len(self.screen_stack) == 1:
            texts = {key: text for key, (text, _, _) in FORMATS.items()}
            self.push_screen(Choose("export what sounded", texts), self._export_chosen)

    def _export_chosen(self, key: str | None) -> None:
        if key:
            self.action_export(key)

    def _save(self, stem: str, ending: str, make: Callable[[], str | bytes]) -> None:
        from mmgat.stream.dashboard.export import write_new

        stem += time.strftime("-%Y%m%d-%H%M%S", time.localtime(self.unix_now()))
        try:
            path = write_new(self.folder, stem, ending, make())
        except StreamError as error:
            self.tell(str(error))
            return
        self.tell(f"saved {path}")
