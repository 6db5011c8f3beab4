"""What a network takes, parameters, arithmetic and memory, counted from its layers."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from replication.architectures.catalogue import NETWORKS
from replication.architectures.layers import (
    BOTTLENECK,
    CHARACTER_SIZE,
    CNN_LSTM_LAYERS,
    CNN_LSTM_WIDTH,
    FAMILIES,
    FEATURE_MAPS,
    LSTM_WIDTH,
    Block,
    BottleneckUnit,
    Layer,
    Norm,
    Stem,
    Transition,
    WideUnit,
)
from replication.architectures.scaling import scaled
from replication.data.specs import Images, Text

# Options of a network that change no shape.
SHAPELESS = ("dropout", "memory_efficient")
# A step of an LSTM's layer: its matrix products, its gates, its states.
LSTM_OPERATORS = 3
# Of a word's logits: themselves, in float32, their logarithms, the teacher's, their gradient.
LOGIT_COPIES = 5


@dataclass(frozen=True)
class Footprint:
    """What a network takes, and its forward pass on one sample, an image or a word.

    `flops` are floating-point operations, two for a multiplication with its addition, of
    convolutions and matrix products alone; `kept` counts the numbers that wait for the backward
    pass, `moved` those that go through memory, `widest` those of the largest map. `operators` are
    the calls of one forward pass, however many samples are in the batch.
    """

    parameters: int
    flops: float
    kept: float
    moved: float
    widest: float
    operators: int


@cache
def of_images(name: str, options: tuple[tuple[str, Any], ...], images: Images) -> Footprint | None:
    """The footprint of an image network; None where its family's layers are not described."""
    network = NETWORKS[name]
    if network.family not in FAMILIES:
        return None
    arguments = {**network.kwargs, **dict(options)}
    dropout, frugal = (arguments.pop(key, 0) for key in SHAPELESS)
    walk = _Walk(images.height, images.width, bool(dropout), bool(frugal))
    width = images.channels
    for layer in FAMILIES[network.family](**arguments).values():
        walk.add(layer, width)
        width = layer.out_chs
    walk.linear(width, images.classes)
    return walk.footprint()


class _Walk:
    """Counts layer by layer; `height` and `width` are those of the maps so far."""

    def __init__(self, height: int, width: int, dropout: bool, frugal: bool) -> None:
        self.height, self.width, self.dropout, self.frugal = height, width, dropout, frugal
        self.parameters = self.operators = 0
        self.flops = self.kept = self.moved = self.widest = 0

    def footprint(self) -> Footprint:
        return Footprint(
            self.parameters, self.flops, self.kept, self.moved, self.widest, self.operators
        )

    def add(self, layer: Layer, in_chs: int) -> None:
        if isinstance(layer, Stem):
            self.conv(in_chs, layer.out_chs, 3)
        elif isinstance(layer, WideUnit):
            self.wide(layer)
        elif isinstance(layer, BottleneckUnit):
            self.bottleneck(layer)
        elif isinstance(layer, Block):
            self.block(layer)
        elif isinstance(layer, Transition):
            self.norm(layer.in_chs)
            self.conv(layer.in_chs, layer.out_chs, 1)
            self.keep(layer.out_chs)
            self.height, self.width = self.height // 2, self.width // 2
            self.operators += 1
        elif isinstance(layer, Norm):
            self.norm(layer.out_chs)

    def conv(self, in_chs: int, out_chs: int, side: int, stride: int = 1) -> None:
        self.height, self.width = -(-self.height // stride), -(-self.width // stride)
        weights = side * side * in_chs * out_chs
        pixels = self.height * self.width
        self.parameters += weights
        self.flops += 2 * weights * pixels
        self.widest = max(self.widest, out_chs * pixels)
        self.operators += 1

    def norm(self, chs: int, kept: bool = True) -> None:
        # Its input waits for the backward pass, and so does what ReLU leaves of its output.
        self.parameters += 2 * chs
        self.operators += 2
        self.keep(2 * chs, kept)

    def keep(self, chs: int, kept: bool = True) -> None:
        numbers = chs * self.height * self.width
        self.moved += numbers
        self.kept += numbers if kept else 0

    def linear(self, inputs: int, outputs: int) -> None:
        self.parameters += inputs * outputs + outputs
        self.flops += 2 * inputs * outputs
        self.operators += 2

    def shortcut(self, unit: WideUnit | BottleneckUnit) -> None:
        if unit.project:
            before = self.height, self.width
            self.conv(unit.in_chs, unit.out_chs, 1, unit.stride)
            self.height, self.width = before
        self.operators += 1

    def wide(self, unit: WideUnit) -> None:
        self.norm(unit.in_chs)
        self.shortcut(unit)
        self.conv(unit.in_chs, unit.out_chs, 3, unit.stride)
        self.norm(unit.out_chs)
        if self.dropout:
            # The mask and what it lets through.
            self.keep(2 * unit.out_chs)
            self.operators += 1
        self.conv(unit.out_chs, unit.out_chs, 3)

    def bottleneck(self, unit: BottleneckUnit) -> None:
        self.norm(unit.in_chs)
        self.shortcut(unit)
        self.conv(unit.in_chs, unit.bottleneck, 1)
        self.norm(unit.bottleneck)
        self.conv(unit.bottleneck, unit.bottleneck, 3, unit.stride)
        self.norm(unit.bottleneck)
        self.conv(unit.bottleneck, unit.out_chs, 1)

    def block(self, block: Block) -> None:
        inner = BOTTLENECK * block.growth
        for width in range(block.in_chs, block.out_chs, block.growth):
            self.norm(width, kept=not self.frugal)
            self.conv(width, inner, 1)
            self.norm(inner)
            self.conv(inner, block.growth, 3)
            self.operators += 1


@cache
def of_text(name: str, options: tuple[tuple[str, Any], ...], text: Text, bptt: int) -> Footprint:
    """The footprint of a language model, a word of a window of `bptt` steps its sample."""
    return {"lstm": _lstm, "cnn_lstm": _cnn_lstm}[name](dict(options), text, bptt)


def _lstm(options: dict[str, Any], text: Text, bptt: int) -> Footprint:
    width, layers = scaled(LSTM_WIDTH, options["width_ratio"]), int(options["layers"])
    gates = _gates(width, width, layers)
    logits = LOGIT_COPIES * text.words
    kept = 2 * width + 8 * width * layers + logits
    return Footprint(
        parameters=text.words * width + gates + 8 * width * layers + text.words,
        flops=2 * (gates + width * text.words),
        kept=kept,
        moved=kept,
        widest=logits,
        operators=6 + LSTM_OPERATORS * layers * bptt,
    )


def _cnn_lstm(options: dict[str, Any], text: Text, bptt: int) -> Footprint:
    ratio, depth = options["width_ratio"], options["depth_ratio"]
    width, layers = scaled(CNN_LSTM_WIDTH, ratio), scaled(CNN_LSTM_LAYERS, depth)
    maps = {side: scaled(of, ratio) for side, of in enumerate(FEATURE_MAPS, start=1)}
    vector = sum(maps.values())
    # Every word is padded past the widest convolution.
    places = {side: text.longest + len(maps) - side + 1 for side in maps}
    convolved = sum(CHARACTER_SIZE * side * maps[side] * places[side] for side in maps)
    highway = 2 * vector * vector
    gates = _gates(vector, width, layers)
    logits = LOGIT_COPIES * text.words
    kept_of_type = sum(maps[side] * places[side] for side in maps) + 6 * vector * layers
    kept = text.distinct * kept_of_type + vector + 8 * width * layers + logits
    return Footprint(
        parameters=text.alphabet * CHARACTER_SIZE
        + sum(CHARACTER_SIZE * side * maps[side] + maps[side] for side in maps)
        + layers * (highway + 2 * vector)
        + gates
        + 8 * width * layers
        + width * text.words
        + text.words,
        flops=2 * (text.distinct * (convolved + layers * highway) + gates + width * text.words),
        kept=kept,
        moved=kept,
        widest=logits,
        operators=40 + LSTM_OPERATORS * layers * bptt,
    )


def _gates(inputs: int, width: int, layers: int) -> int:
    """Weights of an LSTM's matrices."""
    return 4 * width * (inputs + width) + (layers - 1) * 8 * width * width
