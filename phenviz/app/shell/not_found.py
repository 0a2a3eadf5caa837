"""What is answered to an address that no page has."""

from __future__ import annotations

from tornado.web import RequestHandler

from phenviz.app.pages import PAGES
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.theme import FONT, THEME_CONFIG

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not found · PhenViz</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark; --ink: {ink}; --paper: {paper}; --link: {link}; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: {dark_ink}; --paper: {dark_paper}; --link: {dark_link}; }} }}
body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; gap: 12px; padding: 24px;
  font: 16px/1.5 {font}; color: var(--ink); background: var(--paper); }}
h1 {{ margin: 0; font-size: 26px; }} p {{ margin: 0; max-width: 46ch; overflow-wrap: anywhere; }}
code {{ font-size: 15px; }} ul {{ display: flex; gap: 20px; list-style: none; margin: 8px 0 0; padding: 0; }}
a {{ color: var(--link); font-weight: 600; }}
</style></head><body>
<h1>There is no such page</h1>
<p>PhenViz has nothing at <code>{path}</code>. The address may be from another version, or mistyped.</p>
<ul>{links}</ul>
</body></html>
"""


class NotFound(RequestHandler):
    """A page with status 404 that leads to the others."""

    def prepare(self) -> None:
        """Answer every kind of request alike."""
        light, dark = THEME_CONFIG["light"]["palette"], THEME_CONFIG["dark"]["palette"]
        links = "".join(
            f'<li><a href="/{entry.key}">{escaped(entry.title)}</a></li>' for entry in PAGES if entry.linked
        )
        self.set_status(404)
        self.finish(
            _TEMPLATE.format(
                ink=light["text"]["primary"],
                paper=light["background"]["default"],
                link=light["primary"]["main"],
                dark_ink=dark["text"]["primary"],
                dark_paper=dark["background"]["default"],
                dark_link=dark["primary"]["main"],
                font=FONT,
                path=escaped(self.request.path[:200]),
                links=links,
            )
        )
