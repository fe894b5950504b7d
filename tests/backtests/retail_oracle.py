"""What must be decided about the gift wholesaler's half year, computed without any code of the product: SQL over the rows.

Each audience is judged alone, so that cap and priority never speak: an order starts a silence, the silence a moment, and
the next order, a credit note or the end of the window takes it back. Everything is computed at once, from whole tables.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

SHARE, SALT = 0.10, "concierge"

# One row an invoice, at the instant of its first line in the file; identical lines count once. A credit note ("C...") names
# an invoice of its own, with an amount: it stops for three days and lowers nothing.
INVOICES = """
create table invoices as
with lines as (
    select InvoiceNo, CustomerID::text as customer, StockCode, Description, Quantity, InvoiceDate, Country,
        round(UnitPrice, 3)::decimal(18, 3) as price, min(file_row_number) as line
    from read_parquet(?, file_row_number = true) where CustomerID is not null group by all
)
select InvoiceNo as invoice, customer, arg_min(InvoiceDate, line) as moment, min(line) as line,
    sum(Quantity * price) as worth, InvoiceNo like 'C%' as credit
from lines group by all
"""

# An occasion takes in all orders less than a day after its first one; the chain is walked from the customer's first order.
OCCASIONS = """
create table occasions as
with recursive chain(customer, moment) as (
    select customer, min(moment) from invoices where not credit group by customer
    union all
    select c.customer, (select min(i.moment) from invoices i
        where i.customer = c.customer and not i.credit and i.moment >= c.moment + interval 24 hours)
    from chain c where c.moment is not null
)
select customer, moment, row_number() over (partition by customer order by moment) as place,
    epoch_ms(moment) - epoch_ms(lag(moment) over (partition by customer order by moment)) as gap_ms
from chain where moment is not null
"""

# Every instant with an order, what the customer had bought up to it, the cycle as known then, and the next order.
ANCHORS = """
create table anchors as
with instants as (
    select customer, moment, count(*) as orders, sum(worth) as worth from invoices where not credit group by all
),
running as (
    select customer, moment, lead(moment) over w as next_order, sum(orders) over w as orders, sum(worth) over w as worth
    from instants window w as (partition by customer order by moment)
),
placed as (
    select r.*, (select count(*) from occasions o where o.customer = r.customer and o.moment <= r.moment) as place from running r
)
select p.*, (
    select median(o.gap_ms) from occasions o
    where o.customer = p.customer and o.place between greatest(2, p.place - 4) and p.place
) as cycle_ms
from placed p
"""

WINDOWS = {
    "at_risk_repeat": "select *, moment + interval 45 days as enters, moment + interval 75 days as leaves from anchors"
    " where orders >= 3",
    "winback_vip": "select *, moment + interval 90 days as enters, moment + interval 150 days as leaves from anchors"
    " where orders >= 8 or worth >= 2500",
    "ready_to_reorder": "select *, moment + to_milliseconds(cycle_ms) - interval 5 days as enters,"
    " moment + to_milliseconds(cycle_ms) + interval 14 days as leaves"
    " from anchors where place >= 3 and cycle_ms >= 14 * 86400000",
}

# `opens`: the first instant of the window that no credit note of the last three days covers, while no newer order is there.
# `taken_back`: the first credit note after it. An order at the very instant of the window's end still is what ends it.
DECIDED = """
with windows as ({windows}),
reached as (
    select * from windows where enters <= $until and (next_order is null or next_order > enters)
),
marked as (
    select r.*, exists (
        select 1 from invoices c where c.customer = r.customer and c.credit
            and c.moment <= r.enters and r.enters < c.moment + interval 3 days) as held_back
    from reached r
),
candidates as (
    select customer, moment, enters as instant from marked
    union
    select m.customer, m.moment, c.moment + interval 3 days from marked m join invoices c on c.customer = m.customer and c.credit
    where c.moment + interval 3 days > m.enters and c.moment + interval 3 days < m.leaves
        and (m.next_order is null or c.moment + interval 3 days < m.next_order)
),
opened as (
    select customer, moment, min(instant) as opens from candidates k
    where not exists (
        select 1 from invoices c where c.customer = k.customer and c.credit
            and c.moment <= k.instant and k.instant < c.moment + interval 3 days)
    group by all
)
select m.customer, m.moment, m.enters, m.held_back, o.opens, m.leaves, m.next_order,
    (select min(c.moment) from invoices c where c.customer = m.customer and c.credit and c.moment > o.opens) as taken_back
from marked m left join opened o on o.customer = m.customer and o.moment = m.moment
order by m.customer, m.moment
"""


class Expected(NamedTuple):
    person: str
    at: datetime
    outcome: str
    reason: str
    anchor: datetime
    arm: str


class Silence(NamedTuple):
    """A customer's window that was reached; opens is None where something held it back for as long as it lasted."""

    customer: str
    anchor: datetime
    enters: datetime
    held_back: bool
    opens: datetime | None
    leaves: datetime
    next_order: datetime | None
    taken_back: datetime | None


def arm(person: str) -> str:
    number = int(hashlib.sha256(f"{SALT}|{person}".encode()).hexdigest()[:16], 16)
    return "holdout" if number / 16**16 < SHARE else "assisted"


def expected(path: Path, audience: str, until: datetime) -> list[Expected]:
    """Every decision of the audience judged alone, up to and including `until`, ordered by person and instant."""
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        database.execute(INVOICES, [str(path)])
        database.execute(OCCASIONS)
        database.execute(ANCHORS)
        query = DECIDED.format(windows=WINDOWS[audience])
        rows = database.execute(query, {"until": until.replace(tzinfo=None)}).fetchall()
    decided: list[Expected] = []
    for silence in (Silence(*map(_aware, row)) for row in rows):
        decided += _decisions(silence, _end(silence))
    return sorted(one for one in decided if one.at <= until)


def _end(silence: Silence) -> tuple[datetime, int, str] | None:
    """What ends the moment, the first of these; None where it never began. At one instant a signal comes before time."""
    if silence.opens is None:
        return None
    ends = [(silence.leaves, 2, "expired")]
    if silence.next_order is not None:
        ends.append((silence.next_order, 1, "purchased"))
    if silence.taken_back is not None:
        ends.append((silence.taken_back, 1, "refunded"))
    return min(ends)


def _decisions(silence: Silence, end: tuple[datetime, int, str] | None) -> list[Expected]:
    person = f"id:{silence.customer}"
    side = arm(person)

    def one(at: datetime, outcome: str, reason: str) -> Expected:
        return Expected(person, at, outcome, reason, silence.anchor, side)

    told = [one(silence.enters, "withheld", "refunded")] if silence.held_back else []
    if silence.opens is None or end is None:
        return told
    if side == "holdout":
        return [*told, one(silence.opens, "withheld", "holdout")]
    at, _, reason = end
    return [*told, one(silence.opens, "activated", "qualified"), one(at, "withdrawn", reason)]


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
