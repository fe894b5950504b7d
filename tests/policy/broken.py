"""Forty policies that are broken, each by one edit of the shipped one, with the line and the sentence that must be said."""

from typing import NamedTuple


class Broken(NamedTuple):
    """`new` stands where `old` first stood; `near` is a text on the line that the error names, as the edit leaves it."""

    what: str
    old: str
    new: str
    near: str
    sentence: str


HOURS = "    through_cap: true\n    hours: "
CART = "- cart_value: {above: 150}"
BROKEN = [
    Broken(
        "a misspelt key", "currency: USD", "curency: USD", "curency", "`curency` is unknown; did you mean `currency`?"
    ),
    Broken("a missing key", "settle: 5s", "# settle: 5s", "# The shipped", "`settle` is missing; add it"),
    Broken("a small currency", "currency: USD", "currency: usd", "currency: usd", "`currency`: string should match"),
    Broken("a rate of nothing", "EUR: 1.08", "EUR: 0", "EUR: 0", "`rates.EUR`: input should be greater than 0"),
    Broken("a rate in words", "EUR: 1.08", "EUR: cheap", "EUR: cheap", "`rates.EUR`: input should be a valid decimal"),
    Broken("a rate that is no number", "EUR: 1.08", "EUR: .nan", "EUR: .nan", "`rates.EUR`: input should be a finite"),
    Broken(
        "a share above one", "share: 0.10", "share: 10", "share: 10", "`holdout.share`: input should be less than or"
    ),
    Broken(
        "another version", "version: 1", "version: 2", "version: 2", "`version`: input should be 1; change the value"
    ),
    Broken(
        "a span without unit", "r: 30d", "r: 30", "r: 30", "write a duration with its unit, such as 30m, 2h30m or 3d"
    ),
    Broken("a span in words", "r: 30d", "r: 30 days", "30 days", "`cart_forgotten_after`: not a duration such as 30m"),
    Broken("a negative span", "settle: 5s", "settle: -5s", "settle: -5s", "`settle`: not a duration such as 30m"),
    Broken(
        "no order name", "refunds: [Order Refunded]", "refunds: []", "refunds: []", "`names.refunds`: value should have"
    ),
    Broken(
        "an unknown page kind",
        "  help: [",
        "  hlp: [",
        "  hlp: [",
        "should be 'product', 'help', 'returns' or 'shipping'",
    ),
    Broken(
        "a word as a priority", "ity: 90", "ity: high", "ity: high", "ner.priority`: input should be a valid integer"
    ),
    Broken(
        "an unknown kind",
        "kind: rescue",
        "kind: rescu",
        "kind: rescu",
        "save.kind`: input should be 'rescue' or 'care'",
    ),
    Broken(
        "a cap of none",
        "count: 1, within: 24h",
        "count: 0, within: 24h",
        "count: 0",
        "`caps.0.count`: input should be greater",
    ),
    Broken(
        "a cap beyond memory",
        "count: 3, within: 14d",
        "count: 17, within: 14d",
        "count: 17",
        "`caps.1.count`: input should be less",
    ),
    Broken(
        "visits beyond memory",
        "at_least: 2, within",
        "at_least: 20, within",
        "at_least: 20",
        "pages.at_least`: input should be less",
    ),
    Broken("an unknown condition", CART, "- cart_valu: {above: 150}", "cart_valu:", "did you mean `cart_value`?"),
    Broken(
        "no bound", CART, "- cart_value: {}", "cart_value: {}", "give at least one of above, at_least, below, at_most"
    ),
    Broken(
        "two in one", CART, "- {cart: empty, cart_value: {above: 1}}", "{cart: empty", "a condition has exactly one key"
    ),
    Broken(
        "a full cart",
        "- cart: empty",
        "- cart: full",
        "cart: full",
        "exit.0.cart`: input should be 'empty' or 'not_empty'",
    ),
    Broken(
        "two anchors",
        "{cart_touch: newest}",
        "{cart_touch: newest, order: newest}",
        "order: newest}",
        "an anchor has exactly one key",
    ),
    Broken(
        "no anchor",
        "{cart_touch: newest}",
        "{}",
        "anchor: {}",
        "an anchor has exactly one key: cart_touch, order, event",
    ),
    Broken(
        "an empty window", "enter_after: 2h", "enter_after: 12h", "  high_aov_abandoner:", "enter_after must be shorter"
    ),
    Broken("an unreadable edge", "cycle - 5d", "cycle * 5d", "cycle * 5d", "write cycle, cycle - 5d or cycle + 14d"),
    Broken(
        "both bounds of pages",
        "at_least: 2, w",
        "at_least: 2, at_most: 3, w",
        "at_most: 3",
        "give either at_least or at_most",
    ),
    Broken(
        "since something else",
        "since: anchor, same",
        "since: order, same",
        "since: order",
        "event.since`: input should be 'anchor'",
    ),
    Broken(
        "a perhaps",
        "through_cap: true",
        "through_cap: perhaps",
        "perhaps",
        "through_cap`: input should be a valid boolean",
    ),
    Broken(
        "an unstoppable",
        "by: [purchased]",
        "by: [erased]",
        "by: [erased]",
        "should be 'purchased', 'refunded' or 'in_conversation'",
    ),
    Broken("a capital name", "  high_aov_abandoner:", "  High-AOV:", "High-AOV", "string should match pattern"),
    Broken(
        "an audience twice",
        "  shipping_friction:",
        "  high_aov_abandoner:",
        "  high_aov_abandoner:\n    kind: rescue\n    priority: 80",
        "stands twice in one mapping; keep one of them",
    ),
    Broken("a tab", "currency: USD", "\tcurrency: USD", "\tcurrency", "this is not YAML: found character '\\t'"),
    Broken(
        "an open brace",
        "salt: concierge}",
        "salt: concierge",
        "time_zone: UTC",
        "mend the indentation or quoting there",
    ),
    Broken(
        "a bare time",
        "    through_cap: true",
        HOURS + "[{days: [mon], from: 9:00, to: 17:00}]",
        "hours:",
        'write a time of day in quotes, such as "09:00"',
    ),
    Broken(
        "a night in one",
        "    through_cap: true",
        HOURS + '[{days: [mon], from: "17:00", to: "9:00"}]',
        "hours:",
        "`from` must be before `to`; write a night as two spans",
    ),
    Broken(
        "a day in full",
        "    through_cap: true",
        HOURS + '[{days: [monday], from: "9:00", to: "17:00"}]',
        "hours:",
        "input should be 'mon', 'tue'",
    ),
    Broken(
        "three weeks",
        "    through_cap: true",
        "    cool_down: 3 weeks",
        "cool_down",
        "cool_down`: not a duration such as",
    ),
    Broken(
        "no days at all",
        "serums: 45",
        "serums: 0",
        "serums: 0",
        "`reorder_days.serums`: input should be greater than or",
    ),
    Broken(
        "any of nothing",
        "      - any:\n          - orders",
        "      - any: []\n      - any:\n          - orders",
        "any: []",
        "when.0.any`: tuple should have",
    ),
    Broken(
        "orders in words",
        "vip_orders: 5",
        "vip_orders: lots",
        "vip_orders",
        "`tiers.vip_orders`: input should be a valid integer",
    ),
]
