"""The dashboard: state, components that draw it, pages that lay them out.

`phenviz.app.serve.serve` starts it.
"""
