"""The modules that an objective of one's own is made of: found, hashed and imported.

An objective's module may import others: from the study's folder, from its own package, or from a
folder on Python's path. What it imports changes what it computes, so all of it is hashed.
Installed packages and the suite itself are not: records name them by version and commit.
"""

import ast
import hashlib
import importlib
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from types import ModuleType

NEVER_OWN = {__name__.partition(".")[0], "numpy", "timm", "torch", "torchvision"}
"""Packages that are not one's own wherever they lie, such as in a folder on Python's path."""
NOT_IN_FILES = (PathFinder, BuiltinImporter, FrozenImporter)
"""Finders of modules that are asked in another way, or find none that has a file."""
IMPORTING = ("import_module", "__import__")
"""Functions that import the module whose name they are called with."""
INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages."""


def find_module(module: str, folder: Path) -> Path | None:
    """The file of a module in a folder or on Python's path, or None; nothing is imported.

    The folder comes first, as that of a script does.
    """
    path = tuple(place for place in sys.path if place not in _STUDIES)
    return _in_folder(module, folder) or _on_the_path(module, path)


def hash_modules(module: str, folder: Path) -> str:
    """A hash of the source of a module and of all the modules of one's own that it imports.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name, file in sorted(own_modules(module, folder).items()):
        content = file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def own_modules(module: str, folder: Path) -> dict[str, Path]:
    """The files of a module and of all modules of one's own that it imports, by their names.

    They are found in the source, so those that a function imports when it is called are included.
    Names that are only known when the program runs are not found.
    """
    files: dict[str, Path] = {}
    waiting = _with_packages(module)
    while waiting:
        name = waiting.pop()
        file = find_module(name, folder)
        if file is None or name in files or not (name == module or _is_own(name, file)):
            continue
        files[name] = file
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for imported in _imports(file.read_bytes(), package):
            waiting += _with_packages(imported)
    return files


def _with_packages(module: str) -> list[str]:
    """A module's dotted name and those of the packages that it lies in."""
    parts = module.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))] if all(parts) else []


def import_module(module: str, folder: Path) -> ModuleType:
    """Import a module of a study's folder, or of Python's path, together with what it imports.

    The folder becomes the first of Python's path, as that of a script is, and stays there, because
    a function may import a module when it is called. Modules of another study, which may have the
    same names, are forgotten; so are earlier versions of this one's.

    Raises:
        ImportError: it imports a module of the folder in a way that its source does not show, so
            that a change of that module would train nothing again.
    """
    if not _in_folder(module, folder) or module.partition(".")[0] in NEVER_OWN:
        return importlib.import_module(module)
    place = folder.resolve()
    hashed = {file.resolve(): name for name, file in own_modules(module, folder).items()}
    names = [name for file, name in hashed.items() if file.is_relative_to(place)]
    _forget()
    for name in names:
        sys.modules.pop(name, None)
    if str(place) not in sys.path:
        _STUDIES.add(str(place))
    sys.path.insert(0, str(place))
    _IMPORTED.append((str(place), names))
    importlib.invalidate_caches()
    before = {*sys.modules}
    imported = importlib.import_module(module)
    for name in {*sys.modules} - before:
        file = Path(getattr(sys.modules[name], "__file__", None) or "")
        if file.resolve().is_relative_to(place) and file.is_file() and _is_own(name, file):
            names.append(name)
            if file.resolve() not in hashed:
                raise ImportError(
                    f"it imports {name} from {file}, which its source does not show; import it by a"
                    f" name that is found from {folder}, or put its folder on PYTHONPATH"
                )
    return imported


_IMPORTED: list[tuple[str, list[str]]] = []
"""The study whose objectives were imported last: its folder and the names of its modules."""
_STUDIES: set[str] = set()
"""The folders that are or were on Python's path because a study was imported from them: where one
study lacks a module, that of another study is no substitute."""


def _forget() -> None:
    """Take the study that was imported before off Python's path, and forget its modules."""
    while _IMPORTED:
        place, names = _IMPORTED.pop()
        if place in sys.path:
            sys.path.remove(place)
        for name in names:
            sys.modules.pop(name, None)


def _in_folder(module: str, folder: Path) -> Path | None:
    path = folder.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return None


@lru_cache(maxsize=1000)
def _on_the_path(module: str, path: tuple[str, ...]) -> Path | None:
    """The file of a module on Python's path; a package above it is not imported either."""
    package, _, below = module.partition(".")
    # Not `importlib.util.find_spec`, which answers with what has been imported under this name.
    others = [finder for finder in sys.meta_path if finder not in NOT_IN_FILES]
    specs = (finder.find_spec(package, None) for finder in others if hasattr(finder, "find_spec"))
    spec = PathFinder.find_spec(package, path) or next(filter(None, specs), None)
    if spec is None:
        return None
    if not below:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    places = spec.submodule_search_locations or ()
    files = (_in_folder(below, Path(place)) for place in places)
    return next((file for file in files if file), None)


def _is_own(module: str, file: Path) -> bool:
    """Whether a module is one's own, and not the suite's, Python's or an installed package's."""
    if module.partition(".")[0] in NEVER_OWN or INSTALLED & {*file.parts}:
        return False
    return not file.resolve().is_relative_to(Path(sysconfig.get_path("stdlib")).resolve())


@lru_cache(maxsize=1000)
def _imports(source: bytes, package: str) -> tuple[str, ...]:
    """The dotted names of everything that a source imports; nothing where it is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(name for node in ast.walk(tree) for name in _imported_names(node, package))


def _imported_names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        anchor = parts[: len(parts) - node.level + 1] if node.level else []
        module = ".".join([*anchor, *([node.module] if node.module else [])])
        # What is imported from a package may be one of its modules.
        yield from (f"{module}.{alias.name}" for alias in node.names)
        yield module
    elif isinstance(node, ast.Call) and len(node.args) == 1:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
        name = called.id if isinstance(called, ast.Name) else called
        argument = node.args[0]
        if name in IMPORTING and isinstance(argument, ast.Constant):
            yield str(argument.value)
