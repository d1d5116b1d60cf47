"""`PhaseTrack`: the steps of a respawn with their marks, live."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from roost.models import SlotState, StartStep
from roost_tui.glyphs import Glyphs, glyphs_of
from roost_tui.modals.flow import Flow
from roost_tui.modals.palette import ACCENT, BAD, GOOD, MUTED, TONE_STYLES
from roost_tui.modals.respawn_phases import STEPS, Mark, Phases
from roost_tui.render import state_face


def step_piece(step: StartStep, mark: Mark, glyphs: Glyphs) -> Content:
    """Draw one step: its mark as a glyph and a style."""
    glyph, style = {
        Mark.WAITING: (glyphs.todo, MUTED),
        Mark.ACTIVE: (glyphs.run_active, f"bold {ACCENT}"),
        Mark.DONE: (glyphs.run_done, GOOD),
        Mark.FAILED: (glyphs.run_failed, f"bold {BAD}"),
    }[mark]
    return Content.styled(f"{glyph} {step.replace('_', ' ')}", style)


def state_piece(state: SlotState, glyphs: Glyphs) -> Content:
    """Draw a state as the bundle table does: glyph, word and colour."""
    face = state_face(state, glyphs)
    return Content.styled(f"{face.glyph} {face.word}", TONE_STYLES[face.tone])


class PhaseTrack(Vertical):
    """One line of steps (two on a narrow screen) and the state; hidden until there is something."""

    DEFAULT_CSS = """
    PhaseTrack { height: auto; display: none; }
    PhaseTrack.-shown { display: block; }
    PhaseTrack Static { width: 1fr; height: auto; }
    """

    def compose(self) -> ComposeResult:
        """Yield the steps and the line with the state."""
        yield Flow()
        yield Static(classes="state")

    def show(self, phases: Phases, sentence: str = "") -> None:
        """Draw these marks, the state and a sentence beside it, by default the phases' own."""
        self.add_class("-shown")
        glyphs = glyphs_of(self.app)
        pairs = zip(STEPS, phases.marks, strict=True)
        self.query_one(Flow).pieces = [step_piece(step, mark, glyphs) for step, mark in pairs]
        words = sentence or phases.sentence
        line = Content.assemble(state_piece(phases.state, glyphs), f"  {words}" if words else "")
        self.query_one(".state", Static).update(line)

    def hide(self) -> None:
        """Show nothing."""
        self.remove_class("-shown")
