"""How a scale reads what the paper leaves open."""

from typing import Literal

from pydantic import Field

from replication.config.yaml_model import StrictModel

Average = Literal["probabilities", "logits"]


class Decisions(StrictModel):
    """What the paper leaves open, beside `dropout`, `layers` and `final_transition` of `networks`.

    docs/explanation/protocol.md has the readings; tables/sensitivity.yaml measures what each one
    changes.
    """

    ban_l_weighting: Literal["mean", "sum"] = Field(
        "mean", description="How BAN+L combines its two losses."
    )
    dkpp_permutation: Literal["sample and step", "sample", "batch"] = Field(
        "sample and step",
        description="How often DKPP draws a permutation: for every sample at every step, for every"
        " sample once, or for every batch.",
    )
    cwtm_weight: Literal["max", "true class"] = Field(
        "max",
        description="What CWTM weights a sample by: the teacher's largest probability, or that of"
        " the true class.",
    )
    ensemble: Average = Field(
        "probabilities", description="What an ensemble averages of its members."
    )
    densenet_recipe: Literal["wide-resnet", "densenet"] = Field(
        "wide-resnet",
        description="Recipe of the DenseNets: the Wide-ResNets', or that of Huang et al. (2017)"
        " with"
        " 1.5 times the epochs, a rate that is multiplied by 0.1 after 1/2 and 3/4 of them, and a"
        " weight decay of 1e-4.",
    )
