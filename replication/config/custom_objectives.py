"""Objectives of one's own: ``module:function``, from the study's folder or Python's path.

The plan needs only their source, to train again when a loss changes; a training imports them.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replication.config.own_modules import find_module, hash_modules, import_module
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
    source = find_source(name, folder)
    try:
        imported = import_module(module, folder)
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise InputError(
            f"objective `{name}`: {source} cannot be imported"
            f" ({type(error).__name__}: {reason}); correct it, or what it imports"
        ) from None
    if not callable(own_function := getattr(imported, function, None)):
        raise InputError(
            f"objective `{name}`: {source} has no function `{function}`; correct the name"
        )
    return as_objective(own_function)


def source_hash(name: str, folder: Path = Path()) -> str:
    """A hash of the objective's source: its module, and what that imports of one's own modules.

    Raises:
        InputError: there is no such module, or a file cannot be read.
    """
    source = find_source(name, folder)
    try:
        return hash_modules(name.partition(":")[0], folder)
    except OSError as error:
        raise InputError(
            f"objective `{name}`: {source} or what it imports cannot be read ({error}); give read"
            " permission"
        ) from None


def find_source(name: str, folder: Path = Path()) -> Path:
    """The file of the module, which is not imported.

    Raises:
        InputError: it is neither in the folder nor on Python's path, or not a file of Python code.
    """
    module = name.partition(":")[0]
    file = find_module(module, folder)
    if file is None:
        raise InputError(
            f"objective `{name}`: no module {module}; put {module}.py into {folder.resolve().name}"
            " or install it"
        )
    return file


def as_objective(function: Callable[..., Any]) -> Objective:
    """A function of student logits, labels, teacher logits and parameters as an objective.

    It gets no generator, from which the suite's own objectives may draw.
    """

    def loss(logits: Any, labels: Any, teacher_logits: Any, *_: object, **options: Any) -> Any:
        return function(logits, labels, teacher_logits, **options)

    return Objective(loss)
