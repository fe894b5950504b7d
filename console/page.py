"""Pages: HTML from the templates beside this file, with whatever is told escaped; a page holds all that it needs."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page(template: str, **told: Any) -> str:
    """template: a file's name in `pages/`. What it asks for and is not told, is an error."""
    environment = Environment(loader=PackageLoader("console", "pages"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(template).render(**told)
