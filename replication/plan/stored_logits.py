"""Whether a teacher's logits are stored for its students: decided from sizes alone, without torch.

Stored logits are rounded to half precision, those of a teacher that runs at every step are not. So
the decision belongs to a student's recipe, and the limit that it follows from does not.
"""

import json
import math
from pathlib import Path

from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.data.specs import ImageSpec, TextSpec
from replication.files import JSON_ERRORS

BYTES_PER_LOGIT = 2

TrainingSize = tuple[int, int]
"""Training samples, and classes; for texts training words, and words of the vocabulary."""
LogitShape = tuple[int, int, int]
"""Views, samples, classes."""


def size_of(data: ImageSpec | TextSpec) -> TrainingSize:
    """The size of a data set about which the plan knows everything."""
    return data.train, data.words if isinstance(data, TextSpec) else data.classes


def described_size(file: Path) -> TrainingSize | None:
    """The size of a data set by the description that preparing it has left, if there is one."""
    try:
        description = json.loads(file.read_bytes())
        classes = description.get("classes", description.get("words"))
        return int(description["train"]), int(classes)
    except JSON_ERRORS:
        return None


def logit_shape(recipe: ImageRecipe | LanguageRecipe, size: TrainingSize) -> LogitShape:
    """The shape of the logits that a student of this recipe needs of its teacher."""
    samples, classes = size
    if isinstance(recipe, ImageRecipe):
        return recipe.views, samples, classes
    return 1, samples - samples % recipe.batch_size, classes


def is_within_limit(shape: LogitShape, limit_gib: float) -> bool:
    """Whether stored logits of this shape take no more than the limit, in GiB."""
    return BYTES_PER_LOGIT * math.prod(shape) <= limit_gib * 2**30
