"""Objectives of one's own: ``module:function``, from the study's folder or Python's path.

The plan needs their source alone, so that a changed loss trains again; a training imports them.
"""

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from replication.errors import InputError
from replication.objectives import OBJECTIVES, Objective

PATTERN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_custom(name: str) -> bool:
    """Whether an objective's name is ``module:function``."""
    return bool(PATTERN.fullmatch(name))


def find_objective(name: str, folder: Path = Path()) -> Objective:
    """An objective of the registry by name, or ``module:function`` of a study's ``folder``.

    Raises:
        InputError: there is no such module or function, or it cannot be imported.
    """
    if not is_custom(name):
        return OBJECTIVES[name]
    module, _, function = name.partition(":")
    try:
        found = getattr(_import(module, find_source(name, folder), folder), function)
    except InputError:
        raise
    except AttributeError:
        raise InputError(
            f"objective `{name}`: {find_source(name, folder)} has no `{function}`; correct the name"
        ) from None
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise InputError(
            f"objective `{name}`: {find_source(name, folder)} cannot be imported"
            f" ({type(error).__name__}: {reason}); correct it"
        ) from None
    return as_objective(found)


def source_hash(name: str, folder: Path = Path()) -> str:
    """A hash of the module's source; raises InputError where there is no such module."""
    return hashlib.sha256(find_source(name, folder).read_bytes()).hexdigest()[:16]


def find_source(name: str, folder: Path = Path()) -> Path:
    """The file of the module, which is not imported.

    Raises:
        InputError: it is neither in the folder nor on Python's path, or no file of Python code.
    """
    module = name.partition(":")[0]
    own = folder / f"{module.replace('.', '/')}.py"
    if own.is_file():
        return own
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise InputError(
            f"objective `{name}`: no module {module}; put {module}.py into {folder.resolve().name}"
            " or install it"
        )
    return Path(spec.origin)


def _import(module: str, file: Path, folder: Path) -> ModuleType:
    if not file.is_relative_to(folder):
        return importlib.import_module(module)
    # By file and under a name of its own, because two studies may each have a module of this name.
    name = f"{module}_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


def as_objective(function: Callable[..., Any]) -> Objective:
    """A function of student logits, labels, teacher logits and parameters as an objective.

    It gets no generator, from which the suite's own objectives may draw.
    """

    def loss(logits: Any, labels: Any, teacher_logits: Any, *_: object, **options: Any) -> Any:
        return function(logits, labels, teacher_logits, **options)

    return Objective(loss)
