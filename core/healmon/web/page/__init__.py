"""The health page: one document, one style, plain modules, and the page where one signs in.

Nothing is asked of any other host. The document brings no data: its script gets the live state from
`/api/v1`, and puts all foreign text into it as text.
"""

from __future__ import annotations

from healmon.web.page.pages import document, login, mount

__all__ = ["document", "login", "mount"]
