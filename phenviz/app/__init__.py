"""The dashboard: a folder per page, and what they share (`shell`, `widgets`).

`phenviz.app.shell.serve.serve` starts it.
"""
