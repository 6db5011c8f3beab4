"""What the job of a training is given, and when it saves its state: nothing changes its result."""

from pydantic import Field

from replication.config.yaml_model import Count, Positive, StrictModel

GPU_SLOTS = 8
"""Slots of a whole GPU."""


class CheckpointSchedule(StrictModel):
    """When a training saves its state, besides when a signal asks it to stop."""

    epochs: int = Field(
        1, ge=0, description="Number of epochs between two saves of the state; 0 for none."
    )
    seconds: Positive = Field(
        600.0, description="It is also saved after this many seconds without a save."
    )


class Resources(StrictModel):
    """What the training of one network is given; more once finished runs have taken more."""

    threads: int = Field(1, ge=1, le=1024, description="Threads of the CPU.")
    gpu_slots: Count = Field(
        GPU_SLOTS,
        description="Slots of a GPU, which has 8 in all; with 1, eight training runs share it.",
    )
    # Room for two processes of 0.8 GB: git, which is called for the commit, starts as a copy of the
    # training, and until it has replaced that copy, Slurm counts both.
    memory_mb: Count = Field(
        3000, description="Main memory in MB for the first attempt; each further one doubles it."
    )
    minutes: Count = Field(
        20, description="Time limit in minutes of the first attempt; each further one doubles it."
    )
