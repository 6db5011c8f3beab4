"""The language models of Table 6: an LSTM and a character CNN under an LSTM."""

import math
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear, pad

from replication.architectures.catalogue import FAMILIES, NETWORKS, Ratio, scaled
from replication.data.text import characters

State = tuple[Tensor, Tensor]
"""Hidden and cell state, each (layers, batch, width)."""

# Table 6, at ratio 1.
LSTM_WIDTH = 1500
CNN_LSTM_WIDTH = 650
CNN_LSTM_LAYERS = 2
CHARACTER_SIZE = 15
FEATURE_MAPS = tuple(min(200, 50 * width) for width in range(1, 8))

TRANSFORM_GATE_BIAS = -2.0


class _LanguageModel(nn.Module):
    lstm: nn.LSTM

    def initial_state(self, batch_size: int) -> State:
        """State before the first word: zeros, each (layers, batch_size, width)."""
        weight = next(self.lstm.parameters())
        zeros = weight.new_zeros(self.lstm.num_layers, batch_size, self.lstm.hidden_size)
        return zeros, zeros.clone()

    def _initialise_uniformly(self, bound: float) -> None:
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)


class Lstm(_LanguageModel):
    """The LSTM of Table 6, 1500 units wide at ratio 1 (Zaremba et al. 2014).

    The output layer uses the input embedding's matrix. Dropout acts on the non-recurrent
    connections only: on the embedded words, between layers and before the softmax. Every parameter
    is drawn from U(-a, a), with a = 0.04 as in Zaremba's large model, and more in narrower ones as
    in Zaremba's smaller models: a = 0.04 sqrt(1500 / width).

    Parameters at 10,000 words, the tied matrix counted once, against the 52 M that the paper
    prints: 51.03 M with the two layers of Zaremba's large model, which is taken here; 33.02 M with
    the one layer of the paper's text; untied, 48.03 M with one layer and 66.03 M with two.
    torch.nn.LSTM has two bias vectors per layer, and both are counted.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        layers: int = 2,
        width_ratio: Ratio = 1,
        dropout: float = 0.65,
    ) -> None:
        super().__init__()
        words, width = len(vocabulary), scaled(LSTM_WIDTH, width_ratio)
        self.embedding = nn.Embedding(words, width)
        self.lstm = _lstm(width, width, layers, dropout)
        self.bias = nn.Parameter(torch.empty(words))
        self.dropout = nn.Dropout(dropout)
        self._initialise_uniformly(0.04 * math.sqrt(LSTM_WIDTH / width))

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Word ids (steps, batch) to next-word logits (steps, batch, words), and the new state."""
        hidden, state = self.lstm(self.dropout(self.embedding(tokens)), state)
        return linear(self.dropout(hidden), self.embedding.weight, self.bias), state


class CnnLstm(_LanguageModel):
    """The CNN-LSTM of Table 6: character CNN, highway layers and LSTM (LSTM-Char-Large, Kim 2016).

    At ratio 1 two highway layers and two LSTM layers of 650 units. `depth_ratio` acts on highway
    and LSTM layers; `width_ratio` on the feature maps, and with them the highway, and the LSTM. The
    15 dimensions per character stay: no alphabet gets smaller.

    Dropout acts between the LSTM's layers and before the softmax, and not on the connections from
    the highway to the LSTM. Every parameter is drawn from U(-a, a), a = 0.05 sqrt(650 / width),
    except the transform gates' biases, which start at -2, and the padding's embedding, which
    stays 0.

    Parameters at 10,000 words, all counted: 19.37 M for the 19 M that the paper prints, of which
    0.08 M in the character CNN, 4.84 M in the highway, 7.95 M in the LSTM, 6.51 M in the softmax.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        depth_ratio: Ratio = 1,
        width_ratio: Ratio = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        width, layers = scaled(CNN_LSTM_WIDTH, width_ratio), scaled(CNN_LSTM_LAYERS, depth_ratio)
        feature_maps = [scaled(maps, width_ratio) for maps in FEATURE_MAPS]
        self.characters = CharacterCnn(characters(vocabulary), CHARACTER_SIZE, feature_maps)
        highways = [Highway(self.characters.width) for _ in range(layers)]
        self.highway = nn.Sequential(*highways)
        self.lstm = _lstm(self.characters.width, width, layers, dropout)
        self.output = nn.Linear(width, len(vocabulary))
        self.dropout = nn.Dropout(dropout)
        self._initialise_uniformly(0.05 * math.sqrt(CNN_LSTM_WIDTH / width))
        with torch.no_grad():
            self.characters.embedding.weight[CharacterCnn.PADDING] = 0
        for highway in highways:
            nn.init.constant_(highway.gate.bias, TRANSFORM_GATE_BIAS)

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Word ids (steps, batch) to next-word logits (steps, batch, words), and the new state."""
        # A word looks the same wherever it stands: each type in the window is computed once.
        types, positions = torch.unique(tokens, return_inverse=True)
        vectors = embedding(positions, self.highway(self.characters(types)))
        hidden, state = self.lstm(vectors, state)
        return self.output(self.dropout(hidden)), state


class CharacterCnn(nn.Module):
    """Words from their characters: convolutions of widths 1, 2, ..., tanh, maximum over time.

    `spelling` (words, longest word) holds character ids with 0 for padding, `size` is the character
    embedding's dimension, and `feature_maps[w - 1]` belongs to the convolution of width w. Each
    word is padded past the widest convolution, so its vector is the same in every vocabulary.
    """

    PADDING = 0
    spelling: Tensor
    lengths: Tensor

    def __init__(self, spelling: Tensor, size: int, feature_maps: Sequence[int]) -> None:
        super().__init__()
        spelling = pad(spelling, (0, len(feature_maps)), value=self.PADDING)
        self.register_buffer("spelling", spelling, persistent=False)
        self.register_buffer("lengths", (spelling != self.PADDING).sum(1), persistent=False)
        self.embedding = nn.Embedding(int(spelling.max()) + 1, size, padding_idx=self.PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, maps, width) for width, maps in enumerate(feature_maps, 1)
        )
        self.width = sum(feature_maps)

    def forward(self, words: Tensor) -> Tensor:
        """Word ids (n,) to word vectors (n, width)."""
        # Windows of padding alone are all equal: past one of the widest, no more are needed.
        length = int(self.lengths[words].max()) + len(self.convolutions)
        embedded = self.embedding(self.spelling[words, :length]).transpose(1, 2)
        return torch.cat([layer(embedded).max(2).values for layer in self.convolutions], 1).tanh()


class Highway(nn.Module):
    """t * relu(W x + b) + (1 - t) * x with gate t = sigmoid(V x + c) (Kim et al. 2016, eq. 8)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) to (n, width)."""
        return torch.lerp(x, self.transform(x).relu(), self.gate(x).sigmoid())


def create_language_model(name: str, vocabulary: Sequence[str], **options: Any) -> Lstm | CnnLstm:
    """A language model of the catalogue, by name, as `timm.create_model` for image networks."""
    network = NETWORKS[name]
    constructor = resolve_name(FAMILIES[network.family].constructor)
    model: Lstm | CnnLstm = constructor(vocabulary, **{**network.kwargs, **options})
    return model


def _lstm(inputs: int, width: int, layers: int, dropout: float) -> nn.LSTM:
    # PyTorch warns when there is no connection between layers for its dropout to act on.
    return nn.LSTM(inputs, width, layers, dropout=dropout if layers > 1 else 0.0)
