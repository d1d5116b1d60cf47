"""`Frame`: what every modal shares: a titled panel, a body that scrolls, a foot that stays.

The body grows with its content until the panel fills the screen; then it scrolls, so that buttons
and keys are in view at any size. The keys in the foot are read from the live bindings, remapped
ones included.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Button, Static

from roost_tui.glyphs import ASCII, Glyphs, glyphs_of
from roost_tui.modals.bounded import Bounded
from roost_tui.modals.flow import Flow
from roost_tui.modals.palette import ACCENT
from roost_tui.resizing import SteadySize

T = TypeVar("T")

_ROOMY_COLUMNS = 100
"""Columns from which two panes stand side by side."""

_TALL_ROWS = 30
"""Rows from which there is room for air between the parts of a panel."""


class Body(Bounded, VerticalScroll):
    """The part that scrolls."""

    DEFAULT_CSS = """
    Body {
        height: auto;
        scrollbar-size-vertical: 1;
        scrollbar-color: $foreground 30%;
        scrollbar-background: $foreground 5%;
    }
    """


class Fixed(Vertical):
    """A part of the panel that is always in view; says so when its height changes."""

    DEFAULT_CSS = """
    Fixed { height: auto; }
    """

    class Resized(Message):
        """Another height may leave the body more or less room."""

    def on_resize(self) -> None:
        """Tell the panel."""
        self.post_message(self.Resized())


class Buttons(Horizontal):
    """The keys that work to the left, the buttons to the right."""

    DEFAULT_CSS = """
    Buttons { height: auto; margin-top: 1; }
    Buttons KeyLine { padding-right: 2; }
    Buttons Button.-style-default {
        min-width: 10;
        margin-left: 2;
        background: $foreground 12%;
        color: $foreground;
        text-style: none;
        &.-primary { background: $primary 35%; }
        &.-error { background: $error 35%; }
        &:hover { background: $foreground 25%; }
        &:disabled { background: $foreground 6%; color: $foreground 50%; text-opacity: 100%; }
        &:focus {
            background: $foreground;
            color: $background;
            text-style: bold underline;
            background-tint: $foreground 0%;
        }
        &.-error:focus { background: $error; color: $text; }
        &:ansi:focus { text-style: bold reverse; }
    }
    """


class KeyLine(Flow):
    """The keys that work right now."""

    DEFAULT_CSS = """
    KeyLine {
        color: $text-muted;
    }
    """

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._rebuild)
        self.call_after_refresh(self._rebuild, self.screen)

    def _rebuild(self, screen: Screen[object]) -> None:
        self.pieces = tuple(self._piece(binding) for binding in _shown(screen))

    def _piece(self, binding: Binding) -> Content:
        key = self.app.get_key_display(binding)
        return Content.assemble((key, f"bold {ACCENT}"), " ", binding.description)


def _shown(screen: Screen[object]) -> list[Binding]:
    """Return the bindings to show, the one that leaves at the end."""
    by_action: dict[str, Binding] = {}
    for active in screen.active_bindings.values():
        if active.binding.show and active.enabled:
            by_action.setdefault(active.binding.action, active.binding)
    return sorted(by_action.values(), key=lambda binding: binding.action in ("close", "back"))


class Frame(SteadySize, ModalScreen[T]):
    """A modal panel; subclasses say what stands in its head, body, status and buttons."""

    DEFAULT_CSS = """
    Frame {
        align: center middle;
        background: $background 60%;
    }
    Frame > .panel {
        width: 64;
        max-width: 100%;
        height: auto;
        max-height: 100%;
        padding: 0 2;
        background: $surface;
        border: round $primary 60%;
        border-title-color: $text;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
    }
    Frame.-wide .foot { border-top: solid $foreground 20%; }
    Frame.-wide.-short .foot Buttons { margin-top: 0; }
    Frame.-wide Body { padding-right: 1; }
    Frame.-danger > .panel { border: round $error 70%; }
    Frame Body { margin-top: 1; }
    Frame.-ascii > .panel { border: ascii $primary 60%; }
    Frame.-ascii.-danger > .panel { border: ascii $error 70%; }
    Frame.-ascii.-wide .foot { border-top: ascii $foreground 20%; }
    Frame .head > Input { margin-top: 1; }
    Frame .question { width: 1fr; height: auto; }
    Frame .muted { color: $text-muted; }
    Frame .field {
        width: 1fr;
        height: 1;
        padding: 0 1;
        background: $foreground 8%;
        border: none;
        border-left: vkey $foreground 25%;
        border-right: vkey $foreground 25%;
    }
    Frame .field:focus {
        background: $foreground 14%;
        border: none;
        border-left: vkey $accent;
        border-right: vkey $accent;
    }
    Frame.-ascii .field { border-left: ascii $foreground 25%; border-right: ascii $foreground 25%; }
    Frame.-ascii .field:focus { border-left: ascii $accent; border-right: ascii $accent; }
    Frame .field.lines:focus, Frame .field.json:focus { background: $foreground 10%; }
    Frame .cut { width: 1fr; height: auto; margin-top: 1; color: $text-warning; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", id="modal.close", tooltip="Close without doing it"),
        Binding("pageup", "page(-1)", "Page up", id="modal.page_up", show=False),
        Binding("pagedown", "page(1)", "Page down", id="modal.page_down", show=False),
    ]

    body_takes_focus: ClassVar[bool] = False
    """Whether the body is what the keys scroll; a form's fields have the focus instead."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_ROOMY_COLUMNS, "-roomy")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (_TALL_ROWS, "-tall")]
        self._panel_title = title
        self._panel_subtitle = subtitle

    @property
    def glyphs(self) -> Glyphs:
        """The characters that the app draws with."""
        return glyphs_of(self.app)

    def compose(self) -> ComposeResult:
        """Lay out head, body and foot inside the panel."""
        self.set_class(self.glyphs is ASCII, "-ascii")
        with Vertical(classes="panel") as panel:
            panel.border_title = Content(self._panel_title)
            panel.border_subtitle = Content(self._panel_subtitle)
            with Fixed(classes="head"):
                yield from self.compose_head()
            yield self.compose_main()
            with Fixed(classes="foot"):
                yield from self.compose_status()
                yield Buttons(KeyLine(), *self.compose_buttons())

    def compose_head(self) -> Iterable[Widget]:
        """Yield what stands above the body and does not scroll."""
        return ()

    def compose_main(self) -> Widget:
        """Return the part between head and foot; by default what scrolls the body's widgets."""
        body = Body(*self.compose_body())
        body.can_focus = self.body_takes_focus
        return body

    def compose_body(self) -> Iterable[Widget]:
        """Yield the content."""
        return ()

    def compose_status(self) -> Iterable[Widget]:
        """Yield what stands between the body and the buttons."""
        return ()

    def compose_buttons(self) -> Iterable[Button]:
        """Yield the buttons, left to right."""
        return ()

    def on_fixed_resized(self, message: Fixed.Resized) -> None:
        """Give the body what the rest of the panel leaves."""
        message.stop()
        self._reserve_rows()

    def _reserve_rows(self) -> None:
        panel = self.query_one(".panel")
        fixed = sum(part.outer_size.height for part in self.query(Fixed))
        for part in panel.children:
            if isinstance(part, Bounded):
                part.reserve(fixed + part.styles.margin.height + panel.gutter.height)

    def action_close(self) -> None:
        """Close with the answer that changes nothing."""
        self.dismiss(None)

    def action_page(self, direction: int) -> None:
        """Scroll the body by a page."""
        body = self.query(Body).first()
        body.scroll_relative(y=direction * max(1, body.size.height - 1), animate=False)


def paragraph(text: str, classes: str = "question") -> Static:
    """Return a paragraph that shows its text as it is, without markup."""
    return Static(Content(text), classes=classes)
