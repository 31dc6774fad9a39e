"""The page: sliders beside the answer that they lead to, below each other on a phone.

A slider's change is answered by replacing the one pane of the answer. Only sliders that enter the view are shown. panel
merges changes that arrive while an answer is computed, so the page keeps up with a hand.
"""

from __future__ import annotations

from typing import Any

from ..errors import MissingExtraError
from .choices import (
    ACTIVATIONS,
    FAMILIES,
    LARGEST_SIGMA_B,
    LARGEST_SIGMA_W,
    MOST_LAYERS,
    WIDTHS,
    Choices,
    View,
)
from .markup import STYLE, section

try:
    import panel as pn
except ImportError as _error:
    raise MissingExtraError.of("panel", "explore", "gpdeep explore") from _error

_TITLE = "gpdeep explore"

_NAMES = {View.DEPTH: "depth", View.MAPS: "maps", View.CLIP: "sparse design"}
_WIDGETS = """
:host, :host * { font-size: 15px; }
.noUi-handle { border-color: #59636e; }
.noUi-target[disabled] { opacity: 0.4; }
"""
_WIDE = {"sizing_mode": "stretch_width", "margin": (5, 4), "stylesheets": [_WIDGETS]}
_SLIDER = {**_WIDE, "tooltips": False}  # the value stands above the slider
_PAGE = """
{% extends base %}
{% block postamble %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { background: #fff; font: 16px/1.45 system-ui, sans-serif; color: #1f2328; }
  main { display: grid; grid-template-columns: 280px minmax(0, 1fr); gap: 8px 32px; max-width: 1240px;
         margin: 0 auto; padding: 12px 20px 32px; }
  header { grid-column: 1 / -1; }
  h1 { font-size: 22px; margin: 0; }
  header p { margin: 2px 0 0; color: #59636e; }
  @media (max-width: 800px) { main { grid-template-columns: minmax(0, 1fr); padding: 10px 14px 24px; } }
</style>
{% endblock %}
{% block contents %}
<main>
  <header><h1>gpdeep explore</h1><p>How deep can this network be, and why?</p></header>
  <div>{{ embed(roots.controls) }}</div>
  <div>{{ embed(roots.answer) }}</div>
</main>
{% endblock %}
"""


def server_of(address: str, port: int) -> Any:
    """A server of the page, not yet started: its `io_loop` is the caller's to run."""
    origins = [f"{host}:{port}" for host in (address, "localhost")]  # pages of others may not talk to it
    return pn.io.server.get_server(
        {"/": page}, port=port, address=address, websocket_origin=origins, title={"/": _TITLE}
    )


def page() -> Any:
    """The page of one visitor, with sliders of its own."""
    controls = _controls()
    views = pn.widgets.RadioButtonGroup(
        options={name: view for view, name in _NAMES.items()},
        value=View.DEPTH,
        color="primary",
        variant="outline",
        **_WIDE,
    )
    pane = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=4)

    def update(*_: Any) -> None:
        chosen = Choices(**{name: widget.value for name, widget in controls.items()})
        visible = chosen.shown(views.value)
        for name, widget in controls.items():
            widget.visible = name in visible
        controls["sigma_w"].disabled = chosen.on_edge
        pane.object, sigma_w = section(views.value, chosen.of_view(views.value))
        if chosen.on_edge and not chosen.designed and sigma_w is not None:
            controls["sigma_w"].value = min(sigma_w, LARGEST_SIGMA_W)  # where the edge is, and where it is let go

    for widget in (views, *controls.values()):
        widget.param.watch(update, "value")
    update()
    template = pn.Template(_PAGE)
    template.add_panel("controls", pn.Column(views, *controls.values(), sizing_mode="stretch_width"))
    template.add_panel("answer", pane)
    return template


def _controls() -> dict[str, Any]:
    """The widgets by the names of `Choices`, at its defaults."""
    start, kinds = Choices(), pn.widgets
    return {
        "width": kinds.DiscreteSlider(label="width n", options=list(WIDTHS), value=start.width, **_SLIDER),
        "depth": kinds.IntSlider(label="depth L (layers)", start=1, end=MOST_LAYERS, value=start.depth, **_SLIDER),
        "activation": kinds.Select(label="activation φ", options=list(ACTIVATIONS), value=start.activation, **_WIDE),
        "family": kinds.Select(label="family", options=list(FAMILIES), value=start.family, **_WIDE),
        "sparsity": kinds.FloatSlider(
            label="sparsity", start=0.0, end=0.99, step=0.01, value=start.sparsity, format="0.00", **_SLIDER
        ),
        "slope": kinds.FloatSlider(
            label="slope V′(q*)", start=0.01, end=1.0, step=0.01, value=start.slope, format="0.00", **_SLIDER
        ),
        "sigma_w": kinds.FloatSlider(
            label="σ_w", start=0.05, end=LARGEST_SIGMA_W, step=0.01, value=start.sigma_w, format="0.0000", **_SLIDER
        ),
        "sigma_b": kinds.FloatSlider(
            label="σ_b", start=0.0, end=LARGEST_SIGMA_B, step=0.01, value=start.sigma_b, format="0.00", **_SLIDER
        ),
        "on_edge": kinds.Checkbox(label="σ_w on the edge of chaos", value=start.on_edge, **_WIDE),
    }
