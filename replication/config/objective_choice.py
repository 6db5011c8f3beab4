"""The objective of a cell as a table names it: with the numbers that it is given."""

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from replication.config.custom_objectives import is_custom
from replication.config.yaml_model import Number, OneOf, StrictModel
from replication.objectives import OBJECTIVES


def _known(name: str) -> str:
    if name not in OBJECTIVES and not is_custom(name):
        raise ValueError(f"must be one of {', '.join(OBJECTIVES)}, or module:function")
    return name


class ObjectiveChoice(StrictModel):
    """An objective, and the numbers that it is given."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number] = Field(init=False)

    name: Annotated[str, AfterValidator(_known)] = Field(
        description="One of the suite's objectives, or module:function for one of your own."
    )

    @property
    def parameters(self) -> tuple[tuple[str, float], ...]:
        """The numbers by name, in the order of the names."""
        return tuple(sorted(self.__pydantic_extra__.items()))

    @model_validator(mode="after")
    def _parameters_exist(self) -> Self:
        for parameter, _ in self.parameters:
            if not parameter.isidentifier():
                raise ValueError(
                    f"`{parameter}` cannot be the name of a parameter of a Python function"
                )
        if self.name in OBJECTIVES:
            known = OBJECTIVES[self.name].parameters
            for parameter, _ in self.parameters:
                if parameter not in known:
                    has = f"it has {', '.join(known)}" if known else "it has none"
                    raise ValueError(f"`{self.name}` has no parameter `{parameter}`; {has}")
        return self


def _choice(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Objective = Annotated[
    ObjectiveChoice,
    BeforeValidator(
        _choice, json_schema_input_type=Annotated[str, OneOf(OBJECTIVES)] | str | ObjectiveChoice
    ),
]
