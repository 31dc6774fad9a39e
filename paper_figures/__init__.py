"""The papers' figures, drawn afresh: one file a figure, in a folder a subject; `python -m paper_figures`.

A file of a figure has a docstring (what is seen, after whom), `TITLE`, `SMALL` (parameters with which a test draws it
in a moment), and `draw(*, ...) -> Drawing`, whose keyword parameters, numbers or text with defaults, a user may set.
Theory is computed when the figure is drawn; what was measured is read from the evidence (`measured.evidence`).
"""
