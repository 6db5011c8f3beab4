"""The sizes of a scale's networks, by family: the paper's sizes times exact ratios."""

from contextlib import suppress
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from replication.architectures.catalogue import NETWORKS
from replication.config.yaml_model import Count, Probability, StrictModel


def _ratio(value: object) -> object:
    with suppress(ValueError, ZeroDivisionError):
        if (ratio := Fraction(str(value))) > 0:
            return str(ratio)
    raise ValueError("write a positive ratio such as 1/4 or 1")


RatioString = Annotated[str, BeforeValidator(_ratio, json_schema_input_type=str | float)]


class NetworkSize(StrictModel):
    """How much smaller than in the paper the networks of a family are.

    1 is the paper's size; a size that a ratio makes fractional is rounded up.
    """

    depth_ratio: RatioString = Field(
        "1", description="Factor for the number of blocks or layers per stage."
    )
    width_ratio: RatioString = Field(
        "1", description="Factor for the number of channels or hidden units."
    )


class WideResNetSize(NetworkSize):
    """Wide-ResNet."""

    dropout: Probability = Field(
        0.3, description="Dropout between the two convolutions of a block."
    )


class ResidualStudentSize(StrictModel):
    """Residual students of Table 5; their widths follow from those of their DenseNet teacher."""

    depth_ratio: RatioString = Field(
        "1", description="Factor for the number of residual units per stage."
    )
    relative_width_ratio: RatioString = Field(
        "1",
        description="Factor for their widths relative to the teacher's. A DenseNet with few units"
        " hardly widens from stage to stage, so with a factor of 1 its students have fewer"
        " parameters, relative to the teacher, than in the paper.",
    )


class WideResidualStudentSize(ResidualStudentSize):
    """Wide residual students of Table 5."""

    dropout: Probability = Field(
        0.3, description="Dropout between the two convolutions of a block."
    )


class DenseNetSize(NetworkSize):
    """DenseNet-BC."""

    final_transition: bool | None = Field(
        None,
        description="Whether there is a transition after the last block too. With null each network"
        " has what the catalogue says.",
    )


class LstmSize(StrictModel):
    """The word LSTM of Table 6."""

    layers: Count = Field(
        2, description="Layers; the paper's text says 1, its printed 52 M parameters say 2."
    )
    width_ratio: RatioString = Field("1", description="Factor for the number of hidden units.")
    dropout: Probability = Field(0.65, description="Dropout on the non-recurrent connections.")


class CnnLstmSize(NetworkSize):
    """The character CNN under an LSTM of Table 6."""

    dropout: Probability = Field(0.5, description="Dropout on the non-recurrent connections.")


class Networks(StrictModel):
    """Sizes and options of each family of networks."""

    wide_resnet: WideResNetSize = WideResNetSize()
    densenet: DenseNetSize = DenseNetSize()
    wide_resnet_as_dense: WideResidualStudentSize = WideResidualStudentSize()
    pre_resnet_as_dense: ResidualStudentSize = ResidualStudentSize()
    pre_resnet: NetworkSize = NetworkSize()
    lstm: LstmSize = LstmSize()
    cnn_lstm: CnnLstmSize = CnnLstmSize()
    width_ratios: dict[str, RatioString] = Field(
        {},
        description="Width ratios of single networks by name, instead of those of their families.",
    )

    @model_validator(mode="after")
    def _names_are_networks(self) -> Self:
        for name in self.width_ratios:
            spec = getattr(self, NETWORKS[name].family) if name in NETWORKS else None
            if not hasattr(spec, "width_ratio"):
                raise ValueError(f"`{name}` is not a network with a width ratio of its own")
        return self

    def options(self, name: str) -> dict[str, Any]:
        """Keyword arguments of a network's constructor beside the catalogue's; none for timm's."""
        if name not in NETWORKS:
            return {}
        spec = getattr(self, NETWORKS[name].family)
        options: dict[str, Any] = spec.model_dump(mode="json", exclude_none=True)
        if isinstance(spec, ResidualStudentSize):
            options["teacher_depth_ratio"] = self.densenet.depth_ratio
            options["width_ratio"] = self.densenet.width_ratio
        if name in self.width_ratios:
            options["width_ratio"] = self.width_ratios[name]
        return options
