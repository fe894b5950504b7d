"""Policies that are broken, each by one edit of the shipped one, with the line and the sentence that must be said."""

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
    Broken("a missing key", "settle: 5s", "# settle: 5s", "# yaml-language-server", "`settle` is missing; add it"),
    Broken(
        "a small currency",
        "currency: USD",
        "currency: usd",
        "currency: usd",
        "`currency`: `usd` does not fit; write three capital letters, such as EUR",
    ),
    Broken(
        "a rate of nothing", "EUR: 1.08", "EUR: 0", "EUR: 0", "`rates.EUR`: `0` does not fit; write a number above 0"
    ),
    Broken(
        "a rate in words", "EUR: 1.08", "EUR: cheap", "EUR: cheap", "`rates.EUR`: `cheap` does not fit; write a number"
    ),
    Broken(
        "a rate that is no number",
        "EUR: 1.08",
        "EUR: .nan",
        "EUR: .nan",
        "`rates.EUR`: `.nan` does not fit; write a number",
    ),
    Broken(
        "a share above one",
        "share: 0.10",
        "share: 10",
        "share: 10",
        "`holdout.share`: `10` does not fit; write a number of at most 1",
    ),
    Broken("another version", "version: 1", "version: 2", "version: 2", "`version`: `2` does not fit; write 1"),
    Broken(
        "a span without unit", "r: 30d", "r: 30", "r: 30", "write a duration with its unit, such as 30m, 2h30m or 3d"
    ),
    Broken(
        "a span in words", "r: 30d", "r: 30 days", "30 days", "`30 days` does not fit; write a duration with its unit"
    ),
    Broken(
        "a negative span", "settle: 5s", "settle: -5s", "settle: -5s", "`settle`: `-5s` does not fit; write a duration"
    ),
    Broken(
        "no order name",
        "refunds: [Order Refunded]",
        "refunds: []",
        "refunds: []",
        "`names.refunds` is empty; write at least one entry",
    ),
    Broken(
        "an unknown page kind",
        "  help: [",
        "  hlp: [",
        "  hlp: [",
        "`paths.hlp`: `hlp` does not fit; write product, help, returns or shipping",
    ),
    Broken(
        "a word as a priority",
        "ity: 90",
        "ity: high",
        "ity: high",
        "ner.priority`: `high` does not fit; write a whole number",
    ),
    Broken(
        "an unknown kind",
        "kind: rescue",
        "kind: rescu",
        "kind: rescu",
        "save.kind`: `rescu` does not fit; write rescue or care",
    ),
    Broken(
        "a cap of none",
        "count: 1, within: 24h",
        "count: 0, within: 24h",
        "count: 0",
        "`caps.count`: `0` does not fit; write a number of at least 1",
    ),
    Broken(
        "a cap beyond memory",
        "count: 3, within: 14d",
        "count: 17, within: 14d",
        "count: 17",
        "`caps.count`: `17` does not fit; write a number of at most 16",
    ),
    Broken(
        "visits beyond memory",
        "at_least: 2, within",
        "at_least: 20, within",
        "at_least: 20",
        "pages.at_least`: `20` does not fit; write a number of at most 16",
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
        "exit.cart`: `full` does not fit; write empty or not_empty",
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
    Broken("an empty window", "enter_after: 2h", "enter_after: 12h", "leave_after: 12h", "enter_after must be shorter"),
    Broken(
        "an unreadable edge",
        "cycle - 5d",
        "cycle * 5d",
        "cycle * 5d",
        "`cycle * 5d` does not fit; write cycle, cycle - 5d or cycle + 14d",
    ),
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
        "event.since`: `order` does not fit; write anchor",
    ),
    Broken(
        "a perhaps",
        "through_cap: true",
        "through_cap: perhaps",
        "perhaps",
        "through_cap`: `perhaps` does not fit; write true or false",
    ),
    Broken(
        "an unstoppable",
        "by: [purchased]",
        "by: [erased]",
        "by: [erased]",
        "`erased` does not fit; write purchased, refunded or in_conversation",
    ),
    Broken(
        "a capital name",
        "  high_aov_abandoner:",
        "  High-AOV:",
        "High-AOV",
        "`High-AOV` does not fit; write small letters, digits and _",
    ),
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
        "a time in words",
        "    through_cap: true",
        HOURS + "[{days: [mon], from: 9am, to: 17:00}]",
        "hours:",
        '`9am` does not fit; write a time of day, such as "09:00"',
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
        "hours.days`: `monday` does not fit; write mon, tue, wed, thu, fri, sat or sun",
    ),
    Broken(
        "three weeks",
        "    through_cap: true",
        "    cool_down: 3 weeks",
        "cool_down",
        "cool_down`: `3 weeks` does not fit; write a duration",
    ),
    Broken(
        "no days at all",
        "serums: 45",
        "serums: 0",
        "serums: 0",
        "`reorder_days.serums`: `0` does not fit; write a number of at least 1",
    ),
    Broken(
        "any of nothing",
        "      - any:\n          - orders",
        "      - any: []\n      - any:\n          - orders",
        "any: []",
        "when.any` is empty; write at least one entry",
    ),
    Broken(
        "orders in words",
        "vip_orders: 5",
        "vip_orders: lots",
        "vip_orders",
        "`tiers.vip_orders`: `lots` does not fit; write a whole number",
    ),
    Broken("a share of yes", "share: 0.10", "share: true", "share: true", "`true` does not fit; write a number"),
    Broken(
        "a count of yes", "count: 1, within: 24h", "count: true, within: 24h", "count: true", "write a whole number"
    ),
    Broken("a rate of yes", "EUR: 1.08", "EUR: true", "EUR: true", "`true` does not fit; write a number, such as"),
    Broken("a span of ages", "r: 30d", "r: 99999999d", "99999999d", "write a duration of at most 36500d"),
    Broken("a window of ages", "enter_after: cycle - 5d", "enter_after: cycle - 99999d", "99999d", "at most 36500d"),
    Broken("a window in innards", "enter_after: 2h", "enter_after: {span_ms: 3}", "span_ms", "write a duration"),
    Broken("an amount of atoms", "vip_lifetime_value: 500", "vip_lifetime_value: 5e80", "5e80", "write a number below"),
    Broken(
        "one text as a list",
        "guides: [serums, retinol]",
        "guides: serums",
        "guides",
        "`serums` does not fit; write a list",
    ),
    Broken("a text as a mapping", "anchor: {cart_touch: newest}", "anchor: cart", "anchor: cart", "write a mapping"),
    Broken(
        "a number as a name",
        "event: subscription_at_risk",
        "event: 7",
        "event: 7",
        "`7` does not fit; write a text, in",
    ),
    Broken(
        "a list as a trait", CART, "- trait: {name: plan, is: [a]}", "trait:", "a list does not fit; write one text"
    ),
    Broken("a trait that is nothing", CART, "- trait: {name: plan, is: }", "trait:", "`is` is empty; give it a value"),
    Broken(
        "a continent",
        "time_zone: UTC",
        "time_zone: Europe",
        "time_zone",
        "there is no time zone Europe; write one such as",
    ),
    Broken(
        "a drift of nothing",
        "missing_above: {price: 0.2",
        "missing_above: {price: 0",
        "{price: 0,",
        "write a number above 0",
    ),
    Broken(
        "a drift misspelt",
        "missing_above: {price: 0.2",
        "missing_above: {prize: 0.2",
        "{prize",
        "did you mean `price`?",
    ),
    Broken("a drift that never speaks", "at_least: 50 ", "at_least: 500 ", "at_least: 500", "at most half of `newest`"),
    Broken(
        "a version in quotes", "version: 1", "version: '1'", "version: '1'", "`1` does not fit; write 1, without quotes"
    ),
    Broken("a version of yes", "version: 1", "version: true", "version: true", "`true` does not fit; write 1, without"),
    Broken(
        "bounds of nothing",
        CART,
        "- cart_value: {above: 150, below: 3}",
        "below: 3",
        "no value lies within these bounds",
    ),
    Broken(
        "bounds that touch", CART, "- cart_value: {above: 150, at_most: 150}", "at_most: 150", "no value lies within"
    ),
    Broken("a trait of nothing", CART, "- trait: {name: x, above: 2, below: 1}", "below: 1", "no value lies within"),
    Broken(
        "counted in no time", "count: 1, within: 24h", "count: 1, within: 0", "within: 0", "write a duration above 0"
    ),
    Broken(
        "counted at no time",
        "at_least_ago: 3d",
        "at_least_ago: 3d, within: 2d",
        "at_least_ago: 3d",
        "`at_least_ago` must be shorter than `within`",
    ),
    Broken(
        "tiers upside down", "mid: 100, high: 500", "mid: 100, high: 50", "mid: 100", "`mid` must be at most `high`"
    ),
    Broken("a rate of its own", "GBP: 1.27", "USD: 1.1", "USD: 1.1", "own currency need no rate; remove it"),
    Broken(
        "one for a list",
        "- cart_value: {above: 150}",
        "cart_value: {above: 150}",
        "when:",
        "a line with a dash for each",
    ),
    Broken(
        "a text that is no text",
        "domains: []",
        "domains: ''",
        "domains: ''",
        "`exclude.domains` is empty; write a list",
    ),
    Broken(
        "a speech", 'because: "Bought', 'because: "' + "Bought " * 40, "Bought Bought", "write at most 255 characters"
    ),
]
