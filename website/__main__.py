"""``python -m website``: collects the pages and builds the site, without a network."""

import logging
import sys
import tempfile
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from website.collect import collect_sources

CONFIGURATION = Path(__file__).with_name("mkdocs.yml")


def build_site(root: Path, site: Path) -> None:
    """Build the site of a repository in a folder, which is replaced.

    Args:
        root: the repository.
        site: the folder to write.

    Raises:
        Abort: a link or an image of a page leads nowhere.
    """
    with tempfile.TemporaryDirectory() as folder:
        navigation = collect_sources(root, Path(folder))
        configuration = load_config(
            str(CONFIGURATION),
            docs_dir=folder,
            site_dir=str(site.resolve()),
            nav=navigation,
            strict=True,
        )
        configuration.plugins.on_startup(command="build", dirty=False)
        build(configuration)
        configuration.plugins.on_shutdown()


def main() -> int:
    """Build the site of the current directory in the folder that is named, or in ``site``."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    try:
        build_site(Path(), site)
    except Abort as problem:
        print(f"error: the site is not built: {problem}", file=sys.stderr)
        return 1
    print(f"{site}/index.html; show it with: python -m http.server --directory {site}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
