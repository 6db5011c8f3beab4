"""Strict YAML: the base of every model that a person writes by hand, with one-line errors."""

import codecs
import difflib
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from replication.errors import InputError


def _yaml_number(value: object) -> object:
    """Read ``5e-4`` as the number it is: YAML 1.1 wants ``5.0e-4`` and gives a string otherwise."""
    with suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value


# The name becomes a folder, or a part of one: no separators, no dots.
FolderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
# Text becomes a line of a table or report: no line breaks, and nothing that commands a terminal.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
Number = Annotated[float, BeforeValidator(_yaml_number, json_schema_input_type=float)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Probability = Annotated[Number, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("an entry is listed twice; list each only once")
    return values


Unique = AfterValidator(_unique)


@dataclass(eq=False)
class OneOf:
    """Annotates a string: one of these names, an enum in the JSON schema."""

    names: Iterable[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema([*self.names])


class StrictModel(pydantic.BaseModel):
    """A model that rejects unknown keys and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=pydantic.BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        InputError: the file is missing, unreadable, not YAML, or not a mapping of plain values.
    """
    try:
        data = deepcopy(_parse(_read_text(path)))
        json.dumps(data, default=str)  # finds what contains itself, and dates as keys
        if isinstance(data, dict):
            return data
        problem = f"a mapping `key: value` is expected, not {_short(data)}"
    except FileNotFoundError:
        problem = "no such file; give the path of an existing one, from the repository's root"
    except UnicodeDecodeError as error:
        problem = f"not a text file in UTF-8 ({error.reason}); save it in UTF-8"
    except OSError as error:
        problem = f"cannot be read ({error}); it has to be a text file"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" on line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "wrong syntax"
        problem = f"not YAML{place} ({reason}); correct the syntax"
    except RecursionError:
        problem = "nested too deeply; correct the syntax"
    except (TypeError, ValueError) as error:
        problem = f"not a file of plain values ({error}); correct the syntax"
    raise InputError(f"{path}: {problem}")


@lru_cache
def _parse(text: str) -> Any:
    """The content of a YAML text.

    PyYAML's parser in C, which needs no such memory, crashes on text that is nested deeply.
    """
    return yaml.safe_load(text)


def _read_text(path: Path) -> str:
    """The text of a file, which may begin with the mark that editors put before UTF-8.

    Raises:
        UnicodeDecodeError: it is not in UTF-8; UTF-16, as Windows writes it, is named as such.
    """
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # Without a mark, every second byte of plain letters is zero.
    zeros = [byte == 0 for byte in content[:4]]
    if marked or zeros in ([True, False] * 2, [False, True] * 2):
        raise UnicodeDecodeError("utf-8", content[:2], 0, 2, "it is in UTF-16")
    return content.decode("utf-8-sig")


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings, key by key and level by level, as Snakemake merges its config files."""
    merged = dict(base)
    for key, value in override.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def multiply(base: Any, factors: Any) -> Any:
    """Multiply the numbers and ratios of a mapping, level by level, integers rounded up.

    The factor of a mapping or list is that of everything in it.

    Raises:
        InputError: a factor is not a positive ratio, or belongs to nothing that has a number.
    """
    if isinstance(base, Mapping):
        below = factors if isinstance(factors, Mapping) else dict.fromkeys(base, factors)
        if unknown := [key for key in below if key not in base]:
            raise InputError(f"unknown key `{unknown[0]}`; remove it")
        return {**base, **{key: multiply(base[key], factor) for key, factor in below.items()}}
    if isinstance(base, list):
        return [multiply(value, factors) for value in base]
    with suppress(ValueError, ZeroDivisionError):
        if (factor := Fraction(str(factors))) > 0:
            product = Fraction(str(base)) * factor
            if isinstance(base, int):
                return math.ceil(product)
            return str(product) if isinstance(base, str) else float(product)
    raise InputError(
        f"cannot multiply {_short(base)} by {_short(factors)}; multiply numbers by positive ratios"
    )


def validate(
    model: type[Model], data: Mapping[str, Any], source: str, if_missing: str = ""
) -> Model:
    """Check ``data`` against ``model``; ``source`` names the file in the error.

    ``if_missing`` is what else can be done about a missing key than to add it.

    Raises:
        InputError: one line with the file, the key and what is wanted.
    """
    try:
        # Through JSON, because strict mode takes a YAML list for a tuple only there.
        return model.model_validate_json(json.dumps(data, default=str))
    except pydantic.ValidationError as error:
        # A misspelt key is also a missing one: the spelling is the more useful message.
        errors = sorted(error.errors(), key=lambda details: details["type"] != "extra_forbidden")
        problems = [_problem(details, model, if_missing) for details in errors]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{source}: {problems[0]}{more}") from None


def _problem(details: ErrorDetails, model: type[pydantic.BaseModel], if_missing: str) -> str:
    # In angle brackets stand the names of the models of a union, and [key] after a wrong key.
    parts = (str(part) for part in details["loc"])
    key = ".".join(part for part in parts if not part.startswith("<") and part != "[key]")
    if details["type"] == "extra_forbidden":
        schema = model.model_json_schema()
        definitions = [schema, *schema.get("$defs", {}).values()]
        known = {name for part in definitions for name in part.get("properties", {})}
        last = str(details["loc"][-1])
        close = difflib.get_close_matches(last, known - {last}, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "remove it"
        return f"unknown key `{key}`; {hint}"
    if details["type"] == "missing":
        return f"key `{key}` is missing; add it" + (f", {if_missing}" if if_missing else "")
    message = details["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"`{key}`: {message}, got {_short(details['input'])}" if key else message


def _short(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
