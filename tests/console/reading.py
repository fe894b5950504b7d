"""A page as its reader gets it, and what it may not hold."""

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "input"}
FETCHING = ("http:", "https:", "//", "<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "href=", " on")


class Read(HTMLParser):
    """What a reader gets: tables by name as rows of texts, each plot's shapes by the words of its picture, all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.pictures: dict[str, list[tuple[str, dict[str, str | None]]]] = {}
        self.texts: list[str] = []
        self._open: list[str] = []
        self._region = self._picture = ""
        self.feed(html)
        assert not self._open, "a tag stays open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append((tag, told))
        if told.get("role") == "region":
            self._region = str(told["aria-label"])
            self.tables[self._region] = []
        elif tag == "tr":
            self.tables[self._region].append([])
        elif tag in ("td", "th"):
            self.tables[self._region][-1].append("")
        elif self._picture and "svg" in self._open:
            self.pictures[self._picture].append((tag, told))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "svg":
            self._picture = ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        inside = self._open[-1] if self._open else ""
        if "td" in self._open or "th" in self._open:
            self.tables[self._region][-1][-1] += data
        elif inside == "title" and "svg" in self._open:
            self._picture = data
            self.pictures[data] = []


def fetched(html: str) -> list[str]:
    """What in the page's tags and styles would ask for something from elsewhere, or run."""
    without_text = re.sub(r"[^<>]+(?=<(?!/style))", " ", html)
    return [one for one in FETCHING if one in without_text]
