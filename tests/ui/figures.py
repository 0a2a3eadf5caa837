"""Where on the screen something lies that a figure draws."""

from __future__ import annotations

_ON_SCREEN = """
([name, place]) => {
  const figure = Bokeh.documents[0].get_model_by_name(name)
  const view = figure && Bokeh.index.find_one(figure)
  if (!view || !view.frame.bbox.width) return null
  const box = view.canvas_view.el.getBoundingClientRect()
  const [x, y] = eval(place)(figure)
  const at = [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)]
  return at.every(Number.isFinite) ? at : null  // its ranges come with its first painting
}
"""


def click_figure(page, name: str, place: str) -> None:
    """Click into a figure; ``place`` is a JavaScript function from its model to x and y of its data."""
    where = page.wait_for_function(_ON_SCREEN, arg=[name, place]).json_value()
    page.mouse.click(*where)
