"""What a policy's types find wrong, told in a brand's words: where, what, and what to do.

`refusal(error, document=..., name=..., model=...)` gives a PolicyError with each problem once, in the order of the lines.
"""

from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from contracts.policy_text import Document, Location, PolicyError, shown
from contracts.policy_values import CURRENCY_PATTERN, NAME_PATTERN, NOT_BLANK_PATTERN

LIKENESS_MIN = 0.7  # of a misspelt key and the one that is offered; below it the offer misleads more than it helps
_WRITE_BY_PATTERN = {
    CURRENCY_PATTERN: "write three capital letters, such as EUR",
    NAME_PATTERN: "write small letters, digits and _, a letter first, at most 60",
    NOT_BLANK_PATTERN: "write a text that is not blank",
}
_MISPLACED = "misplaced"


def misplaced(at: Location, sentence: str) -> PydanticCustomError:
    """An error that a rule about several keys raises: `at` leads from the rule's own mapping to the key to be named."""
    return PydanticCustomError(_MISPLACED, "{sentence}", {"sentence": sentence, "at": at})


def refusal(error: ValidationError, *, document: Document, name: str, model: type[BaseModel]) -> PolicyError:
    problems = error.errors(include_url=False)
    offers = {problem["loc"]: _offer(problem["loc"], document, model) for problem in problems if _unknown(problem)}
    offered = {(*location[:-1], key) for location, key in offers.items() if key is not None}
    told = []
    for problem in problems:
        location = (*problem["loc"], *problem.get("ctx", {}).get("at", ()))
        if problem["type"] == "missing" and location in offered:
            continue  # the misspelt key is told
        if problem["type"] == "too_short" and problem["input"]:
            continue  # only since an entry is wrong, which is told
        line, steps = document.walk(location)
        if problem["type"] == "missing":
            steps = (*steps, location[-1])
        place = ".".join(shown(step) for step in steps if isinstance(step, str))
        if _unknown(problem):
            sentence = _unknown_key(offers[problem["loc"]], _known_keys(problem["loc"], document, model))
            told.append((line, f"`{place}` {sentence}"))
        else:
            told.append((line, _sentence(place, problem)))
    return PolicyError("\n".join(dict.fromkeys(f"{name}:{line}: {sentence}" for line, sentence in sorted(told))))


def _unknown(problem: ErrorDetails) -> bool:
    return problem["type"] == "extra_forbidden"


def _unknown_key(offer: str | None, known: list[str]) -> str:
    if offer is not None:
        return f"is unknown; did you mean `{offer}`?"
    return f"is unknown; remove it, or write one of {', '.join(known)}" if known else "is unknown; remove it"


def _sentence(place: str, problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"`{place}` is missing; add it"
    remedy = problem["msg"].removeprefix("Value error, ") if kind in ("value_error", _MISPLACED) else ""
    if remedy and not remedy.startswith("write "):
        return f"`{place or 'the policy'}`: {remedy}"
    if problem["input"] in ("", [], {}):
        return f"`{place}` is empty; {remedy or _remedy(kind, context)}"
    value = shown(problem["input"])
    quoted = value if isinstance(problem["input"], dict | list) else f"`{value}`"
    return f"`{place}`: {quoted} does not fit; {remedy or _remedy(kind, context)}"


def _remedy(kind: str, context: dict[str, Any]) -> str:
    match kind:
        case "literal_error":
            return f"write {context['expected']}".replace("'", "")
        case "string_pattern_mismatch":
            return _WRITE_BY_PATTERN[context["pattern"]]
        case "greater_than":
            return f"write a number above {_number(context['gt'])}"
        case "greater_than_equal":
            return f"write a number of at least {_number(context['ge'])}"
        case "less_than":
            return f"write a number below {_number(context['lt'])}"
        case "less_than_equal":
            return f"write a number of at most {_number(context['le'])}"
        case "too_short":
            return "write at least one entry"
        case "too_long":
            return f"write at most {context['max_length']} entries"
        case "string_type":
            return "write a text, in quotes where it looks like a number"
        case "tuple_type":
            return "write a list: [this, that], or a line with a dash for each"
        case "dict_type" | "model_type":
            return "write a mapping, such as {key: value}"
        case _:
            return _remedy_of_value(kind)


def _number(limit: object) -> str:
    return str(limit).removesuffix(".0")


def _remedy_of_value(kind: str) -> str:
    match kind.partition("_")[0]:
        case "int":
            return "write a whole number, without quotes"
        case "float":
            return "write a number, without quotes"
        case "decimal" | "finite":
            return "write a number"
        case "bool":
            return "write true or false"
        case _:
            return "look it up in policies/policy.schema.json"


def _offer(location: Location, document: Document, model: type[BaseModel]) -> str | None:
    """The key of the same mapping that a misspelt one may have meant."""
    known = _known_keys(location, document, model)
    return next(iter(get_close_matches(str(location[-1]), known, n=1, cutoff=LIKENESS_MIN)), None)


def _known_keys(location: Location, document: Document, model: type[BaseModel]) -> list[str]:
    """The keys that may still be written into the mapping in which the location's last step stands."""
    annotation: Any = model
    for step in location[:-1]:
        below = _below(annotation, step)
        annotation = annotation if below is None else below
    found = _model(annotation)
    keys = [field.alias or name for name, field in found.model_fields.items()] if found is not None else []
    written = document.keys(location[:-1])
    return [key for key in keys if key not in written]


def _below(annotation: Any, step: int | str) -> Any:
    """The type of what stands one step below a value of this type; None where the step does not lead down."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _below(inner[0], step)
    if origin in (Union, UnionType):
        return next((found for each in inner if (found := _below(each, step)) is not None), None)
    if (origin is dict and isinstance(step, str)) or (origin is tuple and isinstance(step, int)):
        return inner[-1] if origin is dict else inner[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
        return fields.get(str(step))
    return None


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for each in get_args(annotation) if (found := _model(each)) is not None), None)
