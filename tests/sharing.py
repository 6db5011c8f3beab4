"""One of several processes: prints how far its gradients are from those of a single process."""

import sys

import timm
import torch
from conftest import tiny_plan
from torch import Tensor, nn

import replication.networks  # noqa: F401
from replication.objectives import OBJECTIVES
from replication.training.parallel import ALONE, Group, joined
from replication.training.replica import spread

CLASSES = 5
NETWORKS = {
    "densenet_90_60": {"depth_ratio": "1/14", "memory_efficient": True},
    "wide_resnet_28_1": {"depth_ratio": "1/4", "dropout": 0.0},
}
# Shares of two processes differ.
CASES = [*(("densenet_90_60", 7, objective) for objective in OBJECTIVES)]
CASES += [("wide_resnet_28_1", 3, "cwtm")]


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=CLASSES, width_ratio="1/8", **NETWORKS[name])
    # Apart, because the whole network's logits are in single precision; with a frozen end.
    network.features.conv0.requires_grad_(False)
    return nn.Sequential(network.features, network.global_pool, network.classifier).double()


def step(
    name: str, objective: str, group: Group, images: Tensor, labels: Tensor, taught: Tensor
) -> dict[str, Tensor]:
    """Everything that a step computes, by its names."""
    network, n = build(name), len(images)
    called = spread(network, group)
    logits = group.gather(called(images[group.share(n)]), n)
    logits.retain_grad()
    loss = OBJECTIVES[objective](logits, labels, taught, torch.Generator().manual_seed(2))
    loss.backward()
    grads = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert logits.grad is not None
    found = {"loss": loss.detach(), "logits": logits.detach(), "logits' gradient": logits.grad}
    return found | {f"gradient of {name}": grad for name, grad in grads.items()} | {
        name: value for name, value in network.state_dict().items() if "running" in name
        or "num_batches" in name
    }  # fmt: skip


def main(processes: int) -> None:
    """Compare, and print a line for each case: its last two columns are how many and how far."""
    torch.set_num_threads(1)
    takes = {
        "training_takes": {"processes": processes},
        "network_takes": {"lstm": {}, "cnn_lstm": {}},
    }
    with joined(tiny_plan(**takes).scale, "densenet_90_60") as group:
        generator = torch.Generator().manual_seed(1)
        for name, n, objective in CASES:
            batch = (
                torch.randn(n, 3, 8, 8, generator=generator, dtype=torch.double),
                torch.randint(CLASSES, (n,), generator=generator),
                torch.randn(n, CLASSES, generator=generator, dtype=torch.double),
            )
            alone = step(name, objective, ALONE, *batch)
            together = step(name, objective, group, *batch)
            assert list(alone) == list(together)
            off = {
                key: ((value - together[key]).abs().max() / value.abs().max()).item()
                for key, value in alone.items()
            }
            print(name, n, objective, len(off), max(off.values()), sep="\t")
        group.leave()


if __name__ == "__main__":
    main(int(sys.argv[1]))
