"""An Intercom workspace in memory: contacts, attributes, events, conversations, with the vendor's habits.

Every verb answers the JSON of the official API or raises Rejection. Nothing here reads a clock: `now_ms` is given.
"""

import hashlib
import html
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.fields import CUSTOM_ATTRIBUTES_MAX, STRING_CHARS_MAX, Field

Json = dict[str, Any]
DAY_SECONDS = 86_400
REQUESTS_KEPT_MAX = 100_000  # the log of requests is for tests and demos; older ones fall out
METADATA_KEYS_MAX = 10  # Intercom ignores later keys
EVENT_NAMES_MAX = 120  # active names of one workspace
SECONDS_MAX = 10**11  # a larger "second" is a millisecond sent by mistake
_NAME = re.compile(r"[\w\- $€£¥]{1,190}")
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "float": (int, float), "boolean": (bool,), "date": (int,), "datetime": (int,),
}  # fmt: skip


class Rejection(Exception):
    """An error answer: status, one error with code and message, further headers."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


NOT_FOUND = "User Not Found"


@dataclass
class Contact:
    id: str
    created_s: int
    updated_s: int
    role: str = "user"
    external_id: str | None = None
    email: str = ""
    name: str | None = None
    unsubscribed_from_emails: bool = False
    custom: dict[str, Any] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    writes: int = 0
    archived: bool = False
    deleted: bool = False
    merged_into: str | None = None
    indexed: list[tuple[int, Json]] = field(default_factory=list)  # (visible from, ms; what search sees), oldest first

    @property
    def live(self) -> bool:
        return not self.archived and not self.deleted and self.merged_into is None

    def json(self) -> Json:
        return {
            "type": "contact", "id": self.id, "external_id": self.external_id, "role": self.role,
            "email": html.escape(self.email), "name": None if self.name is None else html.escape(self.name),
            "has_hard_bounced": False, "marked_email_as_spam": False,
            "unsubscribed_from_emails": self.unsubscribed_from_emails,
            "created_at": self.created_s, "updated_at": self.updated_s, "custom_attributes": dict(self.custom),
        }  # fmt: skip


class Workspace:
    """now_ms: the clock. search_lag_ms: how long search shows the past. attributes: registered before the first call."""

    def __init__(self, *, now_ms: Callable[[], int], search_lag_ms: int, attributes: Iterable[Field] = ()) -> None:
        self.now_ms = now_ms
        self.search_lag_ms = search_lag_ms
        self.contacts: dict[str, Contact] = {}
        self.attributes: dict[str, Json] = {}
        self.conversations: list[Json] = []
        self.requests: deque[tuple[str, str, int]] = deque(maxlen=REQUESTS_KEPT_MAX)  # (method, path, status)
        self._by_external_id: dict[str, str] = {}
        self._event_names: set[str] = set()
        for wanted in attributes:
            self.create_attribute({"name": wanted.name, "model": "contact", "data_type": wanted.data_type})

    def by_external_id(self, external_id: str) -> Contact | None:
        """The contact whatever its condition (live, archived, merged)."""
        found = self._by_external_id.get(external_id)
        return None if found is None else self.contacts[found]

    def create(self, body: Json) -> Json:
        if not {"email", "external_id", "role"} & body.keys():
            raise Rejection(400, "parameter_not_found", "email, external_id or role is required")
        self._refuse_duplicate(body)
        self._check_custom(body)
        now_s = self.now_ms() // 1000
        name = hashlib.sha256(f"contact {len(self.contacts)}".encode()).hexdigest()[:24]
        contact = Contact(id=name, created_s=now_s, updated_s=now_s)
        self.contacts[name] = contact
        return self._apply(contact, body)

    def update(self, contact_id: str, body: Json) -> Json:
        contact = self._live(contact_id)
        if body.get("role") == "lead" and contact.role == "user":
            raise Rejection(400, "client_error", "Contact with user role can't be converted to a lead")
        external_id = body.get("external_id")
        holder = self.by_external_id(external_id) if external_id else None
        if holder is not None and holder is not contact:
            raise Rejection(409, "conflict", _duplicate(holder))
        self._check_custom(body)
        return self._apply(contact, body)

    def get(self, contact_id: str) -> Json:
        contact = self.contacts.get(contact_id)
        if contact is not None and contact.merged_into is not None:
            self._point_on(contact)
        return self._live(contact_id).json()

    def find(self, external_id: str) -> Json:
        contact = self.by_external_id(external_id)
        if contact is None or contact.role != "user":
            raise Rejection(404, "not_found", NOT_FOUND)
        return self.get(contact.id)

    def delete(self, contact_id: str) -> Json:
        """The identity stays blocked: a create with it answers 409 as archived, an unarchive 400."""
        contact = self._live(contact_id)
        contact.deleted = True
        self._index(contact)
        return {"type": "contact", "id": contact.id, "external_id": contact.external_id, "deleted": True}

    def archive(self, contact_id: str, *, archived: bool) -> Json:
        contact = self.contacts.get(contact_id)
        if contact is None or contact.merged_into is not None:
            raise Rejection(404, "not_found", NOT_FOUND)
        if contact.deleted:
            raise Rejection(400, "bad_request", "User has been marked for permanent deletion and is not restorable.")
        contact.archived = archived
        self._index(contact)
        return {"type": "contact", "id": contact.id, "external_id": contact.external_id, "archived": archived}

    def merge(self, source_id: str, into_id: str) -> Json:
        source, into = self._live(source_id), self._live(into_id)
        source.merged_into = into.id
        self._index(source)
        return into.json()

    def search(self, body: Json) -> Json:
        """Contacts as the index shows them: writes of the last `search_lag_ms` are not in it."""
        per_page = (body.get("pagination") or {}).get("per_page", 50)
        seen = [entry for contact in self.contacts.values() if (entry := self._seen(contact)) is not None]
        hits = [entry for entry in seen if _matches(body.get("query"), entry)]
        pages = {"type": "pages", "page": 1, "per_page": per_page, "total_pages": -(-len(hits) // per_page)}
        return {"type": "list", "data": hits[:per_page], "total_count": len(hits), "pages": pages}

    def search_conversations(self, body: Json) -> Json:
        per_page = (body.get("pagination") or {}).get("per_page", 20)
        hits = [entry for entry in self.conversations if _matches(body.get("query"), entry)]
        pages = {"type": "pages", "page": 1, "per_page": per_page, "total_pages": -(-len(hits) // per_page)}
        listed = [{key: value for key, value in hit.items() if key != "contact_ids"} for hit in hits[:per_page]]
        return {"type": "conversation.list", "conversations": listed, "total_count": len(hits), "pages": pages}

    def converse(self, conversation: str, contact_id: str, state: str) -> None:
        """state: open, closed or snoozed; a snoozed conversation still says `open: true`."""
        self.conversations = [entry for entry in self.conversations if entry["id"] != conversation]
        now_s = self.now_ms() // 1000
        entry = {"type": "conversation", "id": conversation, "state": state, "open": state != "closed"}
        closed = {"last_close_at": now_s} if state == "closed" else {}
        entry |= {"statistics": {"type": "conversation_statistics", **closed}, "contact_ids": contact_id}
        self.conversations.append(entry | {"created_at": now_s, "updated_at": now_s})

    def record_event(self, body: Json) -> None:
        contact = self._addressed(body)
        created_s, name = body.get("created_at"), body.get("event_name")
        if not isinstance(name, str) or not name:
            raise Rejection(400, "parameter_not_found", "event_name is required")
        if isinstance(created_s, bool) or not isinstance(created_s, int) or not 0 <= created_s < SECONDS_MAX:
            raise Rejection(400, "parameter_invalid", "created_at must be unix seconds")
        metadata = dict(list((body.get("metadata") or {}).items())[:METADATA_KEYS_MAX])
        if not all(_metadata_fits(value) for value in metadata.values()):
            raise Rejection(400, "parameter_invalid", "found unpermitted parameters")
        name = name.lower().replace(".", "-").replace("$", "-")
        self._event_names.add(name)
        if len(self._event_names) > EVENT_NAMES_MAX:
            self._event_names.discard(name)
            raise Rejection(400, "parameter_invalid", "too many event names")
        if any((kept["name"], kept["created_at"]) == (name, created_s) for kept in contact.events):
            return
        contact.events.append({"name": name, "created_at": created_s, "metadata": metadata})

    def list_attributes(self, *, include_archived: bool, model: str | None = None) -> Json:
        """model: contact or company; both where None."""
        data = [entry for entry in self.attributes.values() if include_archived or not entry["archived"]]
        return {"type": "list", "data": [e for e in (_EMAIL_ATTRIBUTE, *data) if model in (None, e["model"])]}

    def create_attribute(self, body: Json) -> Json:
        name, data_type = body.get("name"), body.get("data_type")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == "email":
            raise Rejection(
                400,
                "parameter_invalid",
                "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens",
            )
        if name in self.attributes:
            raise Rejection(400, "parameter_invalid", "You already have an attribute with this name")
        if data_type not in _PYTHON:
            raise Rejection(400, "parameter_invalid", "Data Type is invalid")
        if sum(not entry["archived"] for entry in self.attributes.values()) >= CUSTOM_ATTRIBUTES_MAX:
            raise Rejection(400, "parameter_invalid", "You have reached the limit of custom attributes")
        now_s = self.now_ms() // 1000
        self.attributes[name] = {
            "type": "data_attribute", "id": len(self.attributes) + 1, "model": body.get("model", "contact"),
            "name": name, "full_name": f"custom_attributes.{name}", "label": name, "data_type": data_type,
            "api_writable": True, "ui_writable": True, "messenger_writable": bool(body.get("messenger_writable")),
            "custom": True, "archived": False, "created_at": now_s, "updated_at": now_s,
        }  # fmt: skip
        return self.attributes[name]

    def update_attribute(self, attribute_id: int, body: Json) -> Json:
        for entry in self.attributes.values():
            if entry["id"] == attribute_id:
                entry.update({key: body[key] for key in ("archived", "messenger_writable") if key in body})
                return entry
        raise Rejection(404, "field_not_found", "We couldn't find that data attribute to update")

    def snapshot(self) -> list[Json]:
        """Every contact with what was written to it, for a comparison that does not go through the API."""
        keys = ("id", "external_id", "email", "archived", "writes", "events")
        return [
            {key: getattr(contact, key) for key in keys} | {"custom_attributes": contact.custom}
            for contact in self.contacts.values()
        ]

    def _live(self, contact_id: str) -> Contact:
        contact = self.contacts.get(contact_id)
        if contact is None or not contact.live:
            raise Rejection(404, "not_found", NOT_FOUND)
        return contact

    def _point_on(self, contact: Contact) -> None:
        link = {"Link": f'</contacts/{contact.merged_into}>; rel="canonical"'}
        raise Rejection(410, "contact_merged", "The contact was merged into another one", link)

    def _addressed(self, body: Json) -> Contact:
        """Intercom's id before the external id before the e-mail."""
        if "id" in body:
            return self._live(body["id"])
        if "user_id" in body:
            contact = self.by_external_id(body["user_id"])
            return self._live(contact.id if contact is not None else "")
        matching = [
            contact for contact in self.contacts.values() if contact.live and contact.email == body.get("email")
        ]
        return self._live(matching[0].id if matching and body.get("email") else "")

    def _refuse_duplicate(self, body: Json) -> None:
        """A user is the same by external id or by e-mail; leads may share an e-mail without limit."""
        external_id, email = body.get("external_id"), str(body.get("email") or "").lower()
        holder = self.by_external_id(external_id) if external_id else None
        if holder is None and email and body.get("role") != "lead":
            same = (held for held in self.contacts.values() if held.email == email and held.role == "user")
            holder = next((held for held in same if held.merged_into is None), None)
        if holder is not None:
            raise Rejection(409, "conflict", _duplicate(holder))

    def _check_custom(self, body: Json) -> None:
        """One unknown or ill-typed attribute fails the whole write."""
        for name, value in (body.get("custom_attributes") or {}).items():
            entry = self.attributes.get(name)
            if entry is None or entry["archived"]:
                raise Rejection(400, "parameter_invalid", f"Custom attribute '{name}' does not exist")
            if not entry["api_writable"]:
                raise Rejection(
                    400, "parameter_invalid", f"Custom attribute '{name}' cannot be written through the API"
                )
            wanted = _PYTHON[entry["data_type"]]
            fits = value is None or (isinstance(value, wanted) and (isinstance(value, bool) == (bool in wanted)))
            if not fits or (isinstance(value, str) and len(value) > STRING_CHARS_MAX):
                raise Rejection(400, "parameter_invalid", f"Custom attribute '{name}' has an invalid value")

    def _apply(self, contact: Contact, body: Json) -> Json:
        if body.get("external_id"):
            contact.external_id = body["external_id"]
            self._by_external_id[body["external_id"]] = contact.id
        if "email" in body:
            contact.email = str(body["email"] or "").lower()
        contact.role = body.get("role", contact.role)
        contact.name = body.get("name", contact.name)
        contact.unsubscribed_from_emails = bool(body.get("unsubscribed_from_emails", contact.unsubscribed_from_emails))
        for name, value in (body.get("custom_attributes") or {}).items():
            if value is None:
                contact.custom.pop(name, None)
            else:
                contact.custom[name] = value
        contact.writes += 1
        contact.updated_s = self.now_ms() // 1000
        self._index(contact)
        return contact.json()

    def _index(self, contact: Contact) -> None:
        now_ms = self.now_ms()
        past = [entry for entry in contact.indexed if entry[0] <= now_ms]
        coming = [entry for entry in contact.indexed if entry[0] > now_ms]
        entry = contact.json() if contact.live else {}
        contact.indexed = [*past[-1:], *coming, (now_ms + self.search_lag_ms, entry)]

    def _seen(self, contact: Contact) -> Json | None:
        """What the index shows of the contact now; None where it shows nothing."""
        visible = [entry for at_ms, entry in contact.indexed if at_ms <= self.now_ms()]
        return visible[-1] or None if visible else None


_EMAIL_ATTRIBUTE: Json = {
    "type": "data_attribute", "model": "contact", "name": "email", "full_name": "email", "label": "Email",
    "data_type": "string", "api_writable": True, "ui_writable": False, "messenger_writable": True, "custom": False,
    "archived": False,
}  # fmt: skip


def _duplicate(holder: Contact) -> str:
    article = "A contact" if holder.live else "An archived contact"
    return f"{article} matching those details already exists with id={holder.id}"


def _metadata_fits(value: object) -> bool:
    """Scalars, money `{amount, currency}` and rich links `{url, value}`; nothing nested beside them."""
    if isinstance(value, dict):
        if value.keys() == {"amount", "currency"}:
            return isinstance(value["amount"], int) and value["amount"] > 0 and isinstance(value["currency"], str)
        return value.keys() == {"url", "value"}
    return value is None or isinstance(value, str | int | float)


def _matches(query: object, entry: Json) -> bool:
    """One filter, or AND/OR of filters; 400 where the query is none."""
    if not isinstance(query, dict) or "operator" not in query:
        raise Rejection(400, "parameter_invalid", "query is missing or malformed")
    operator, value = query["operator"], query.get("value")
    if operator in ("AND", "OR") and isinstance(value, list):
        return (all if operator == "AND" else any)(_matches(part, entry) for part in value)
    name = str(query.get("field"))
    group, _, inner = name.rpartition(".")
    found = entry.get(group, {}).get(inner) if group else entry.get(name)
    if name == "email" and isinstance(found, str):
        found = html.unescape(found)
    match operator:
        case "=":
            return bool(found == value)
        case "!=":
            return bool(found != value)
        case ">" if name.endswith("_at") and isinstance(value, int):  # dates are matched by their days
            return isinstance(found, int) and found // DAY_SECONDS > value // DAY_SECONDS
        case "IN" if isinstance(value, list):
            return found in value
        case "NIN" if isinstance(value, list):
            return found not in value
    raise Rejection(400, "parameter_invalid", "the rehearsal knows the operators = != IN NIN, and > of dates")
