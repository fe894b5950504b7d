"""A small version of the run that `make converge` makes, every request held against the official description."""

import pytest
from openapi_core import OpenAPI

from tests.delivery.converge import converge
from tests.delivery.plants import PLANTS, planted
from tests.intercom.conftest import api
from tests.intercom.official import Validated

__all__ = ["api"]
SEED = 1
SMALL = 400  # commands; each class of fault is served at least once


def test_intercom_ends_at_what_was_told_whatever_happens_on_the_way(api: OpenAPI) -> None:
    report = converge(commands=SMALL, seed=SEED, served_min=1, restarts=2, meddle=lambda server: Validated(server, api))
    assert report.wrong == []
    assert report.void == [], f"seed {SEED} serves too little"
    assert report.restarts == 2


@pytest.mark.parametrize("name", ["heeds_no_reset", "retries_a_400", "checks_no_freshness", "allows_older_revisions"])
def test_a_planted_bug_turns_the_run_red(name: str) -> None:
    """All of them, on the whole run: `make converge ARGS=--planted`."""
    assert name in PLANTS
    with planted(name):
        assert converge(commands=SMALL, seed=SEED, served_min=0, restarts=1).wrong
