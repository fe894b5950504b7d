"""What must be decided about the REES46 slice, computed without any code of the product: SQL over the raw rows.

Only high_aov_abandoner can fire there: views are no page visits, nobody checks out, and no order is 60 days old.
Facts are computed from scratch at each candidate instant, where the product folds them event by event.
"""

import csv
import gzip
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

ENTER, LEAVE, PURCHASED = timedelta(hours=2), timedelta(hours=12), timedelta(hours=24)
SHARE, SALT = 0.10, "concierge"

# One row for each instant that is some customer's newest cart touch for two hours, with the cart as it is at the end of
# them: the newest price of each product x its pieces since the newest order, ties within a second in file order.
CANDIDATES = """
with touches as (select distinct person, moment from moves where kind = 'cart'),
anchors as (
    select person, moment from touches t
    where not exists (
        select 1 from touches n where n.person = t.person and n.moment > t.moment and n.moment <= t.moment + interval 2 hours)
),
ordered as (
    select a.person, a.moment,
        coalesce(max(o.line) filter (o.moment <= a.moment + interval 2 hours), 0) as emptied_line,
        max(o.moment) filter (o.moment <= a.moment + interval 2 hours) as last_order
    from anchors a left join moves o on o.person = a.person and o.kind = 'purchase'
    group by all
),
lines as (
    select a.person, a.moment, c.product, count(*) * arg_max(c.price, c.line) as value
    from ordered a join moves c
        on c.person = a.person and c.kind = 'cart' and c.line > a.emptied_line and c.moment <= a.moment + interval 2 hours
    group by all
)
select o.person, o.moment, o.last_order, sum(l.value) as value
from ordered o join lines l on l.person = o.person and l.moment = o.moment
group by all having sum(l.value) > 150 order by o.person, o.moment
"""


class Expected(NamedTuple):
    person: str
    anchor: datetime
    at: datetime
    outcome: str
    reason: str
    arm: str


def arm(person: str) -> str:
    number = int(hashlib.sha256(f"{SALT}|{person}".encode()).hexdigest()[:16], 16)
    return "holdout" if number / 16**16 < SHARE else "assisted"


def moves(path: Path) -> list[tuple[int, datetime, str, str, str, str]]:
    """Cart and purchase rows that are whole, identical ones once, in file order."""
    seen: set[tuple[str, ...]] = set()
    found = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        for line, row in enumerate(reader, start=2):
            if len(row) != len(header) or tuple(row) in seen:
                continue
            seen.add(tuple(row))
            told = dict(zip(header, row, strict=True))
            at = datetime.strptime(told["event_time"], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
            if told["event_type"] != "view":
                found.append((line, at, told["event_type"], told["product_id"], told["price"], told["user_id"]))
    return found


def expected(path: Path, until: datetime) -> list[Expected]:
    """Every decision up to and including `until`, ordered by person and instant."""
    rows = moves(path)
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        database.execute(
            "create table moves (line int, moment timestamp, kind text, product text, price decimal(18,2), person text)"
        )
        told = [(line, at.replace(tzinfo=None), *rest) for line, at, *rest in rows]
        database.executemany("insert into moves values (?, ?, ?, ?, ?, ?)", told)
        candidates = database.execute(CANDIDATES).fetchall()
    orders: dict[str, list[datetime]] = {}
    for _, at, kind, _, _, person in rows:
        if kind == "purchase":
            orders.setdefault(person, []).append(at)
    decided: list[Expected] = []
    busy_until: dict[str, datetime] = {}
    for person, naive_anchor, last_order, _ in candidates:
        anchor, key = naive_anchor.replace(tzinfo=UTC), f"id:{person}"
        at, end = anchor + ENTER, anchor + LEAVE
        if anchor < busy_until.get(person, anchor):
            continue  # touched during an earlier moment of the same customer: spent
        held_out = arm(key) == "holdout"
        if last_order is not None and last_order.replace(tzinfo=UTC) + PURCHASED > at:
            decided.append(Expected(key, anchor, at, "withheld", "purchased", arm(key)))
            continue
        bought = min((when for when in orders.get(person, []) if at < when < end), default=None)
        busy_until[person] = bought or end
        if held_out:
            decided.append(Expected(key, anchor, at, "withheld", "holdout", "holdout"))
            continue
        decided.append(Expected(key, anchor, at, "activated", "qualified", "assisted"))
        reason = "purchased" if bought else "expired"
        decided.append(Expected(key, anchor, bought or end, "withdrawn", reason, "assisted"))
    return sorted(one for one in decided if one.at <= until)
