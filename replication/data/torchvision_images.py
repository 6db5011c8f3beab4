"""Images of a class of torchvision, which knows by itself where they are and downloads them."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.data.image_reading import Notes, Wanted, fitted
from replication.data.specs import PARTS, Source
from replication.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPORT = (
    "write its images into a folder as train/<class>/ and test/<class>/ and use `folder`, or its"
    " arrays into an npz file"
)
"""What to do with a class of torchvision that has other parts."""


def read_torchvision(source: Source, root: Path, notes: Notes) -> dict[str, "NDArray[Any]"]:
    """The arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test`` of a class of torchvision.

    Images are (n, height, width, channels), brought to the size of the ``source`` if it has one,
    and labels (n,). What is missing is downloaded into ``root``, the folder of all data sets.

    Raises:
        InputError: there is no such class; its parts are not those of training and test; its
            samples are not an image and a number; or they cannot be downloaded.
    """
    import numpy as np
    import torchvision.datasets

    name = source.place
    place = f"`torchvision: {name}`"
    kind: Any = getattr(torchvision.datasets, name, None)
    taken = inspect.signature(kind).parameters if inspect.isclass(kind) else {}
    if not taken:
        raise InputError(
            f"{place}: not a class of torchvision.datasets; see its documentation for the names"
        )
    if not taken.keys() & {"train", "split"}:
        raise InputError(
            f"{place}: takes ({', '.join(taken)}), so it has no training and no test part; {EXPORT}"
        )
    arrays: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        choice: dict[str, Any] = {"train": part == "train"} if "train" in taken else {"split": part}
        if "download" in taken:
            choice["download"] = True
        try:
            samples = list(_samples(kind(str(root), **choice), source, notes))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise InputError(
                f"{place}: takes ({', '.join(taken)}), but does not give an image and a number for"
                f" `{next(iter(choice))}={next(iter(choice.values()))!r}`"
                f" ({' '.join(str(error).split())}); {EXPORT}"
            ) from None
        except ImportError as error:
            raise InputError(f"{place}: {error}; install it with pip") from None
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{place}: cannot be read or downloaded ({' '.join(str(error).split())}); check the"
                f" network, or put its files into {root}"
            ) from None
        if len({image.shape for image, _ in samples}) > 1:
            raise InputError(
                f"{place}: images of several sizes or channels; add `size` and `resize: crop`, or"
                " write them as one kind into a folder"
            )
        images, labels = zip(*samples, strict=True)
        arrays |= {f"x_{part}": np.stack(images), f"y_{part}": np.array(labels)}
    return arrays


def _samples(dataset: Any, source: Source, notes: Notes) -> Iterator[tuple["NDArray[Any]", int]]:
    import numpy as np
    from PIL.Image import Image

    for index in range(len(dataset)):
        image, label = dataset[index]
        if source.size and isinstance(image, Image):
            wanted = Wanted(source.size, 0, source.resize)
            image = fitted(f"`torchvision: {source.place}`", image, wanted, notes)
        pixels = np.asarray(image)
        if pixels.ndim not in (2, 3):
            raise TypeError(f"its images are of type {type(image).__name__}")
        yield pixels if pixels.ndim == 3 else pixels[..., None], int(label)
