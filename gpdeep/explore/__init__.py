"""A local web page on which a network's numbers follow its sliders: ``gpdeep explore``.

`choices` holds what the sliders say, `answers` turns that into numbers and `pictures` by the public functions that the
commands call, `markup` writes an answer as HTML, `page` lays out widgets, `serving` binds them to 127.0.0.1.

The page library is panel, known to `page` alone. Measured beside matplotlib it brings 22 packages and 207 MB, between
gradio (35 packages, 161 MB) and streamlit (28, 308 MB); marimo (22, 183 MB) was the other candidate. It sends nothing
anywhere, where gradio and streamlit report use by default; its sliders speak while they are dragged and merge what
comes too fast, where streamlit's wait until they are let go; and a page is a plain function, announced to change with
2.0 by warnings, where marimo's is a notebook in a format of its own, still before 1.0.
"""
