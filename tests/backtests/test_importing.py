"""Tables in, Customer.io calls out: what is told, what is refused with its line, what counts once."""

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from backtests import importing, mapping
from backtests.importing import Imported
from backtests.mapping import PRESETS, Mapping, MappingError
from backtests.tables import TableError
from contracts import calls
from contracts.signals import Tracked

HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
VIEW = "2019-10-01 00:00:00 UTC,view,44600062,210,,shiseido,35.79,541312140,72d76fde\n"
CART = "2019-10-01 00:00:05 UTC,cart,1004856,205,electronics.smartphone,samsung,130.76,541312140,72d76fde\n"
PURCHASE = "2019-10-01 00:02:14 UTC,purchase,1004856,205,electronics.smartphone,,130.76,543272936,8187d148\n"


def _read(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [msgspec.json.decode(line) for line in data.splitlines()]


def _imported(
    folder: Path, content: str | bytes, columns: Mapping, name: str = "rows.csv"
) -> tuple[Imported, list[dict[str, Any]], list[dict[str, Any]]]:
    source, out, rejects = folder / name, folder / "events.jsonl", folder / "rejects.jsonl"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = importing.write(source, columns, out=out, rejects=rejects)
    return told, _read(out), _read(rejects) if rejects.exists() else []


def _rees46(folder: Path, *rows: str) -> tuple[Imported, list[dict[str, Any]], list[dict[str, Any]]]:
    return _imported(folder, HEADER + "".join(rows), PRESETS["rees46"])


def test_a_view_a_cart_and_a_purchase_become_the_three_calls(tmp_path: Path) -> None:
    told, events, rejects = _rees46(tmp_path, VIEW, CART, PURCHASE)
    assert (told.rows, told.calls, told.rejected, rejects) == (3, 3, 0, [])
    assert (told.first, told.last) == ("2019-10-01T00:00:00.000Z", "2019-10-01T00:02:14.000Z")
    view, cart, purchase = events
    assert (view["event"], view["userId"], view["type"]) == ("Product Viewed", "541312140", "track")
    assert "category" not in view["properties"], "empty is absent"
    assert cart["event"] == "Product Added"
    assert cart["timestamp"] == "2019-10-01T00:00:05.000Z"
    assert cart["properties"] == {
        "product_id": "1004856", "category": "electronics.smartphone", "brand": "samsung",
        "price": 130.76, "quantity": 1, "currency": "USD",
    }  # fmt: skip
    assert purchase["event"] == "Order Completed"
    assert purchase["properties"]["total"] == 130.76
    line = {"product_id": "1004856", "category": "electronics.smartphone", "price": 130.76, "quantity": 1}
    assert purchase["properties"]["products"] == [line]


def test_the_contracts_read_what_was_written(tmp_path: Path) -> None:
    _, events, _ = _rees46(tmp_path, CART, PURCHASE)
    cart, order = (
        calls.parse(msgspec.json.encode(event), accepted_ms=2_000_000_000_000).signals[0] for event in events
    )
    assert isinstance(cart, Tracked) and isinstance(order, Tracked)
    assert (cart.person, cart.item and cart.item.price) == ("id:541312140", Decimal("130.76"))
    assert (order.amount, order.currency) == (Decimal("130.76"), "USD")


def test_an_identical_row_has_the_same_message_id_and_another_row_another(tmp_path: Path) -> None:
    _, events, _ = _rees46(tmp_path, CART, CART, CART.replace("72d76fde", "another"))
    first, second, third = (event["messageId"] for event in events)
    assert first == second != third


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            "2019-10-01 02:50:00 UTC,view,10900305,205,kitchen.mixer,elenberg,25.71,5204033",
            "8 fields where the header has 9",
        ),
        (CART.strip() + ",more", "10 fields where the header has 9"),
        (CART.strip().replace("130.76", "cheap"), "price is no number"),
        (CART.strip().replace("130.76", "NaN"), "price is no number"),
        (CART.strip().replace("130.76", "1e999999"), "price is no number"),
        (CART.strip().replace("130.76", "-1"), "price is negative"),
        (CART.strip().replace(",cart,", ",carried,"), "event_type is none of view, cart, remove_from_cart, purchase"),
        (CART.strip().replace("541312140", ""), "user_id is empty"),
        (
            CART.strip().replace("2019-10-01 00", "2019-13-01 00"),
            "event_time is no instant such as 2026-03-02T09:00:00Z",
        ),
        (CART.strip().replace("samsung", '"samsung'), "an opening quote is never closed"),
        (CART.strip().replace("samsung", "sam\x00sung"), "a NUL byte"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_stops_no_neighbour(tmp_path: Path, row: str, reason: str) -> None:
    told, events, rejects = _rees46(tmp_path, VIEW, f"{row}\n", PURCHASE)
    assert (told.rows, told.calls, told.rejected) == (3, 2, 1)
    assert [event["event"] for event in events] == ["Product Viewed", "Order Completed"]
    assert [(reject["line"], reject["reason"], reject["row"]) for reject in rejects] == [(3, reason, row)]


def test_bytes_that_are_no_text_are_refused_alone(tmp_path: Path) -> None:
    content = (HEADER + VIEW).encode() + CART.encode().replace(b"samsung", b"sams\xffng") + PURCHASE.encode()
    told, events, rejects = _imported(tmp_path, content, PRESETS["rees46"])
    assert (told.calls, [reject["reason"] for reject in rejects]) == (2, ["not UTF-8 text"])
    assert len(events) == 2


def test_a_quoted_value_may_go_on_in_the_next_line(tmp_path: Path) -> None:
    row = CART.replace("samsung", '"sam\nsung, ""new"""')
    _, events, rejects = _rees46(tmp_path, row, "cut\n", PURCHASE)
    assert events[0]["properties"]["brand"] == 'sam\nsung, "new"'
    assert [reject["line"] for reject in rejects] == [4], "lines are counted as an editor counts them"


def test_gzip_is_read_and_written_whatever_the_name(tmp_path: Path) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / "events.jsonl.gz"
    source.write_bytes(gzip.compress((HEADER + CART).encode()))
    importing.write(source, PRESETS["rees46"], out=out, rejects=tmp_path / "rejects.jsonl")
    assert [event["event"] for event in _read(out)] == ["Product Added"]


def test_a_cut_gzip_file_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    whole = gzip.compress("".join([HEADER, *(CART.replace("541", str(number)) for number in range(5000))]).encode())
    with pytest.raises(TableError, match=r"rows\.csv: the compressed data is damaged or cut"):
        _imported(tmp_path, whole[: len(whole) // 2], PRESETS["rees46"])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "has no column user_id, event_time"),
        ("a,a\n1,2\n", "the first line is no CSV header"),
        (b"PAR1 and nothing else", "no readable Parquet file"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_in_one_sentence(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(TableError, match=sentence) as refusal:
        _imported(tmp_path, content, PRESETS["rees46"])
    assert len(str(refusal.value).splitlines()) == 1


def _online_retail(path: Path, *lines: tuple[str, str, int, float, int | None]) -> Path:
    invoices, codes, quantities, prices, customers = zip(*lines, strict=True)
    instants = pyarrow.array([1_291_190_760_000_000] * len(lines), pyarrow.timestamp("us"))  # 2010-12-01T08:06Z
    columns = {
        "InvoiceNo": list(invoices), "StockCode": list(codes), "Description": ["thing"] * len(lines),
        "Quantity": list(quantities), "InvoiceDate": instants, "UnitPrice": list(prices),
        "CustomerID": pyarrow.array(customers, pyarrow.int64()), "Country": ["United Kingdom"] * len(lines),
    }  # fmt: skip
    parquet.write_table(pyarrow.table(columns), path)
    return path


def _invoices(folder: Path, *lines: tuple[str, str, int, float, int | None]) -> tuple[Imported, list[dict[str, Any]]]:
    source, out = _online_retail(folder / "rows.parquet", *lines), folder / "events.jsonl"
    told = importing.write(source, PRESETS["online-retail"], out=out, rejects=folder / "rejects.jsonl")
    return told, _read(out)


def test_an_invoice_is_one_order_with_all_its_lines_in_pounds(tmp_path: Path) -> None:
    told, (order, other) = _invoices(
        tmp_path,
        ("536365", "85123A", 6, 2.55, 17850),
        ("536366", "22633", 1, 1.85, 17851),
        ("536365", "POST", 1, 18.0, 17850),
    )
    assert (told.rows, told.calls) == (3, 2)
    assert (order["event"], order["userId"], order["timestamp"]) == (
        "Order Completed", "17850", "2010-12-01T08:06:00.000Z",
    )  # fmt: skip
    properties = order["properties"]
    assert (properties["order_id"], properties["total"], properties["currency"]) == ("536365", 33.3, "GBP")
    assert [(line["product_id"], line["quantity"]) for line in properties["products"]] == [("85123A", 6), ("POST", 1)]
    assert other["properties"]["order_id"] == "536366"


def test_an_identical_line_of_an_invoice_counts_once(tmp_path: Path) -> None:
    line = ("536365", "85123A", 6, 2.55, 17850)
    _, (order,) = _invoices(tmp_path, line, line)
    assert (order["properties"]["total"], len(order["properties"]["products"])) == (15.3, 1)


def test_a_cancellation_is_a_refund_of_its_amount_under_its_own_number(tmp_path: Path) -> None:
    _, (refund,) = _invoices(tmp_path, ("C536379", "22633", -2, 27.5, 14527))
    assert refund["event"] == "Order Refunded"
    assert (refund["properties"]["order_id"], refund["properties"]["total"]) == ("C536379", 55)
    assert refund["properties"]["products"][0]["quantity"] == 2


def test_an_invoice_of_nobody_is_left_out_and_counted(tmp_path: Path) -> None:
    told, events = _invoices(tmp_path, ("536365", "A", 1, 1.0, None), ("536366", "A", 1, 1.0, 7))
    assert (told.skipped, told.rejected, len(events)) == ({"CustomerID is empty": 1}, 0, 1)


def test_lines_that_stand_too_far_apart_become_two_calls_so_that_memory_stays_flat(tmp_path: Path) -> None:
    between = [(f"x{number}", "A", 1, 1.0, 8) for number in range(importing.OPEN_ORDER_ROWS_MAX + 1)]
    _, events = _invoices(tmp_path, ("far", "A", 1, 1.0, 7), *between, ("far", "B", 1, 1.0, 7))
    assert sum(event["properties"]["order_id"] == "far" for event in events) == 2


def test_a_mapping_file_tells_any_other_table(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(
        "name: shop\nemail: mail\nanonymous: cookie\ntime: when\nevent: what\nseparator: ';'\n"
        "events: {add: Product Added, ad: null}\nproperties: {sku: item, price: cost}\nconstants: {currency: EUR}\n",
        encoding="utf-8",
    )
    table = "when;what;item;cost;mail;cookie\n1583312400;add;a-1;9.90;A@b.test;\n1583312400123;add;a-2;1;;c-7\n1;ad;;;x@y.test;\n"
    told, (first, second), _ = _imported(tmp_path, table, mapping.load(file))
    assert told.skipped == {"what is ad": 1}
    assert (first["context"]["traits"]["email"], first["timestamp"]) == ("A@b.test", "2020-03-04T09:00:00.000Z")
    assert first["properties"] == {"currency": "EUR", "sku": "a-1", "price": 9.9}
    assert (second["anonymousId"], second["timestamp"]) == ("c-7", "2020-03-04T09:00:00.123Z")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("time: when\nevery: Order Completed\n", "nobody is named"),
        ("user: who\ntime: when\n", "give either `event`"),
        ("user: who\nevery: Order Completed\n", "`time` is missing; add it"),
        ("usr: who\ntime: when\nevery: x\n", "did you mean `user`"),
        ("user: who\ntime: when\nevent: what\n", "`event` needs `events`"),
        ("- a\n", "a mapping file is a mapping"),
        ("a: [\n", "this is not YAML"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_the_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=sentence):
        mapping.load(file)
