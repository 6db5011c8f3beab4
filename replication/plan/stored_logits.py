"""Whether a teacher's logits are stored for its students: decided from sizes alone, without torch.

Stored logits are rounded to half precision, those of a teacher that runs at every step are not. So
the decision belongs to a student's recipe, and the limit that it follows from does not.
"""

import math

from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.specs import ImageSpec, TextSpec

BYTES_PER_LOGIT = 2

LogitShape = tuple[int, int, int]
"""Views, samples, classes."""


def logit_shape(recipe: ImageRecipe | LanguageRecipe, data: ImageSpec | TextSpec) -> LogitShape:
    """The shape of the logits that a student of this recipe needs of its teacher."""
    if isinstance(recipe, ImageRecipe):
        assert isinstance(data, ImageSpec)
        return recipe.views, data.train, data.classes
    assert isinstance(data, TextSpec)
    return 1, data.train - data.train % recipe.batch_size, data.words


def is_within_limit(shape: LogitShape, limit_gib: float) -> bool:
    """Whether stored logits of this shape take no more than the limit, in GiB."""
    return BYTES_PER_LOGIT * math.prod(shape) <= limit_gib * 2**30
