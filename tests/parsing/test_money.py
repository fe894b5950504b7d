from decimal import Decimal

import pytest

from contracts.money import read_amount


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (90, "90"), (0, "0"), (-5, "-5"), (19.99, "19.99"), (0.1, "0.1"), (0.1 + 0.2, "0.3"), (1e-7, "0"), (1e3, "1000"),
        ("90", "90"), ("1,299.00", "1299.00"), ("$12", "12"), ("12.50 USD", "12.50"), ("USD 12.50", "12.50"),
        ("€ 7", "7"), ("7€", "7"), ("-20.00", "-20.00"), (" 5 ", "5"), (".5", "0.5"), ("1,234,567.89", "1234567.89"),
        (999_999_999_999, "999999999999"),
    ],
)  # fmt: skip
def test_readable_money_is_exact(written: object, amount: str) -> None:
    assert read_amount(written) == Decimal(amount)


@pytest.mark.parametrize(
    "written",
    [
        None, True, False, float("nan"), float("inf"), float("-inf"), "NaN", "Infinity", "1e400", "1e5", "", "free", "12,50",
        "1,29.00", "1.2.3", "--5", "$", [], {}, [5], 10**12, -(10**12), 1e300, "9" * 13, "9" * 100_000, "٣", "12 34",
    ],
)  # fmt: skip
def test_unreadable_money_is_nothing_and_not_zero(written: object) -> None:
    assert read_amount(written) is None
