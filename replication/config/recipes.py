"""How networks are trained: the recipes of image networks and of language models."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from replication.config.yaml_model import (
    Count,
    Line,
    NonNegative,
    Positive,
    Probability,
    StrictModel,
)


class ImageRecipe(StrictModel):
    """How image networks are trained: by default SGD with Nesterov momentum and a step schedule.

    A key of `OPEN` that is left at its default, or has no effect without another of them, is not in
    a recipe, so the recipe's hash stays the same.
    """

    OPEN: ClassVar = {
        *("optimizer", "optimizer_arguments", "schedule"),
        *("warmup_epochs", "warmup_learning_rate", "minimum_learning_rate"),
    }

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    milestones: tuple[Count, ...] = Field(
        (), description="Epochs after which the learning rate is multiplied by `gamma`."
    )
    gamma: Positive = Field(0.2, description="What the rate is multiplied by at a milestone.")
    momentum: Probability = Field(0.9, description="Nesterov momentum of SGD.")
    weight_decay: NonNegative = Field(
        description="Weight decay of every parameter; with timm's optimisers only of weights with"
        " two or more axes."
    )
    crop_padding: int = Field(
        0, ge=0, description="Pixels that are added around an image before a random crop."
    )
    flip: bool = Field(
        False, description="Whether images are mirrored left to right in half of the cases."
    )
    evaluate_every: Count = Field(
        1,
        description="Epochs between two measurements of the test error, which is always measured"
        " after the last one. It changes no result.",
    )
    optimizer: Line = Field(
        "sgd",
        description="`sgd` is the paper's, with Nesterov momentum; or an optimiser of timm: adamw.",
    )
    optimizer_arguments: dict[Line, Any] = Field(
        {}, description="Further arguments of timm's optimiser, such as its betas."
    )
    schedule: Literal["step", "cosine"] = Field(
        "step",
        description="How the rate falls: at the milestones, or as a cosine from the first to the"
        " last epoch.",
    )
    warmup_epochs: int = Field(
        0, ge=0, description="Number of first epochs in which the rate rises to `learning_rate`."
    )
    warmup_learning_rate: NonNegative = Field(
        1e-5, description="Rate of the first epoch of a warm-up; the default is timm's."
    )
    minimum_learning_rate: NonNegative = Field(0.0, description="Rate at which the cosine ends.")

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        open_keys = self._chosen_keys
        return {
            key: value
            for key, value in handler(self).items()
            if key not in self.OPEN or key in open_keys
        }

    @property
    def _chosen_keys(self) -> set[str]:
        """The keys of `OPEN` that are not at their defaults and have an effect."""
        unused = set() if self.warmup_epochs else {"warmup_learning_rate"}
        unused |= set() if self.schedule == "cosine" else {"minimum_learning_rate"}
        fields = type(self).model_fields
        return {key for key in self.OPEN - unused if getattr(self, key) != fields[key].default}

    @property
    def views(self) -> int:
        """How many different views crops and flips give of an image."""
        crops = (2 * self.crop_padding + 1) ** 2
        return 2 * crops if self.flip else crops

    @property
    def is_the_papers(self) -> bool:
        """Whether optimiser and schedule are those of the paper's recipe."""
        return not self._chosen_keys

    @model_validator(mode="after")
    def _milestones_rise(self) -> Self:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones have to increase")
        return self


class LanguageRecipe(StrictModel):
    """How a language model is trained: SGD, decayed when the validation perplexity stalls."""

    epochs: Count
    batch_size: Count
    bptt: Count = Field(description="Words over which back-propagation through time is truncated.")
    learning_rate: Positive
    decay: Probability = Field(description="What the rate is multiplied by after a stalled epoch.")
    minimum_improvement: NonNegative = Field(
        description="An epoch has stalled if the validation perplexity falls by no more than this."
    )
    clip_norm: Positive = Field(description="Largest norm of the gradient.")


class LanguageRecipes(StrictModel):
    """Recipes of the language models of Table 6, for those that a scale trains."""

    lstm: LanguageRecipe | None = None
    cnn_lstm: LanguageRecipe | None = None
