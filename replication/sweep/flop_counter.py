"""FLOPs of networks, counted by PyTorch.

Image networks are counted on the meta device. The language models select words by value, which the
meta device cannot do, so they process a hundred words on the CPU.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from replication.data.specs import ImageSpec, TextSpec
from replication.networks import ImageNetwork
from replication.networks.counting import Options, build_network

WORDS, TYPES = 100, 40
"""Words that a language model is counted on; as many distinct ones as in Penn Treebank."""


def count_forward_flops(name: str, options: Options, data: ImageSpec | TextSpec) -> float:
    """FLOPs of the forward pass of one image or word."""
    if isinstance(data, ImageSpec):
        return _count_image(name, options, data)
    return _count_word(name, options, data)


def _count_image(name: str, options: Options, images: ImageSpec) -> float:
    with torch.device("meta"):
        network = build_network(name, options, images).eval()
        image = torch.empty(1, *images.shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if isinstance(network, ImageNetwork):
            # Not forward_head, whose autocast the meta device does not support.
            network.get_classifier()(network.forward_features(image).mean((2, 3)))
        else:
            network(image)
    return float(counter.get_total_flops())


def _count_word(name: str, options: Options, text: TextSpec) -> float:
    words = (torch.arange(WORDS) % TYPES)[None]
    # In double precision: the counter does not see the matrix products of the kernels for single.
    model = build_network(name, options, text).double().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(words, model.initial_state(WORDS))
    return float(counter.get_total_flops()) / WORDS
