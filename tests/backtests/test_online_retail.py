"""Half a year of the gift wholesaler: every invoice of a known customer once, with its exact amount."""

from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pytest

from backtests import importing
from backtests.mapping import PRESETS

pytestmark = pytest.mark.shared

INVOICES = """
select InvoiceNo, CustomerID::text, abs(sum(Quantity * round(UnitPrice, 3)::decimal(18, 3))), count(*)
from (select distinct * from read_parquet(?)) where CustomerID is not null
group by all
"""


def test_orders_and_refunds_equal_those_that_sql_finds(shared_data: Path, tmp_path: Path) -> None:
    source, out = shared_data / "online-retail-2010-12_2011-06.parquet", tmp_path / "events.jsonl"
    told = importing.write(source, PRESETS["online-retail"], out=out, rejects=tmp_path / "rejects.jsonl")
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    found = set()
    for line in out.read_bytes().splitlines():
        call = decode(line)
        properties = call["properties"]
        assert call["event"] == ("Order Refunded" if properties["order_id"].startswith("C") else "Order Completed")
        found.add((properties["order_id"], call["userId"], Decimal(properties["total"]), len(properties["products"])))
    with duckdb.connect() as database:
        wanted = set(database.execute(INVOICES, [str(source)]).fetchall())
        (nobody,) = database.execute(
            "select count(*) from read_parquet(?) where CustomerID is null", [str(source)]
        ).fetchone() or (0,)

    assert found == wanted
    assert (told.rows, told.calls, told.rejected) == (245_903, len(wanted), 0)
    assert told.skipped == {"CustomerID is empty": nobody}
    assert any(order.startswith("C") for order, *_ in wanted), "a void run"
