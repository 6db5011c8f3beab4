"""The language models of Table 6: structure, dropout, state, and that they learn."""

from __future__ import annotations

import math
import string
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import conv1d, cross_entropy

from replication.architectures.catalogue import scaled
from replication.data.text import Corpus, characters, load_corpus, windows
from replication.networks.language import CnnLstm, Highway, Lstm, create_language_model

VOCABULARY = ("<unk>", "<eos>", *string.ascii_lowercase, "statement", "__init_subclass__", "N")
PENN_TREEBANK_SIZED = tuple(f"word{i}" for i in range(10_000))
BOTH = pytest.mark.parametrize("name", ["lstm", "cnn_lstm"])


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def small(name: str, **options: Any) -> Lstm | CnnLstm:
    return create_language_model(name, VOCABULARY, width_ratio="1/50", **options)


def some_tokens(steps: int = 12, batch: int = 3) -> Tensor:
    return torch.randint(len(VOCABULARY), (steps, batch))


def parameters_in_millions(model: nn.Module) -> float:
    return sum(p.numel() for p in model.parameters()) / 1e6


@pytest.mark.parametrize(
    ("value", "ratio", "expected"),
    [
        (1500, 1, 1500),
        (1500, "1/12", 125),
        (650, "1/12", 55),
        (50, 0.5, 25),
        (30, Fraction(1, 3), 10),
        (30, "0.1", 3),
        (2, "1/9", 1),
    ],
)
def test_ratios_are_exact_and_round_up(
    value: int, ratio: int | float | str | Fraction, expected: int
) -> None:
    assert scaled(value, ratio) == expected


@pytest.mark.parametrize(("name", "printed"), [("lstm", 52), ("cnn_lstm", 19)])
def test_full_size_has_the_printed_parameters(name: str, printed: float) -> None:
    with torch.device("meta"):
        model = create_language_model(name, PENN_TREEBANK_SIZED)
    assert parameters_in_millions(model) == pytest.approx(printed, rel=0.05)


def test_the_papers_single_layer_is_far_from_its_printed_parameters() -> None:
    with torch.device("meta"):
        model = Lstm(PENN_TREEBANK_SIZED, layers=1)
    assert parameters_in_millions(model) == pytest.approx(33.02, abs=0.01)


def test_the_character_cnn_has_the_sizes_of_lstm_char_large() -> None:
    model = CnnLstm(VOCABULARY)
    kernels = [tuple(layer.weight.shape) for layer in model.characters.convolutions]
    maps = (50, 100, 150, 200, 200, 200, 200)
    assert kernels == [(m, 15, w) for w, m in enumerate(maps, 1)]
    assert len(model.highway) == model.lstm.num_layers == 2
    assert (model.lstm.input_size, model.lstm.hidden_size) == (1100, 650)


@BOTH
def test_logits_and_state_have_the_shapes_they_say(name: str) -> None:
    model = small(name)
    logits, state = model(some_tokens(5, 3), model.initial_state(3))
    assert logits.shape == (5, 3, len(VOCABULARY))
    assert [s.shape for s in state] == [s.shape for s in model.initial_state(3)]


@BOTH
def test_a_carried_state_gives_the_logits_of_one_long_pass(name: str) -> None:
    model, tokens = small(name).eval(), some_tokens()
    whole, _ = model(tokens, model.initial_state(3))
    state, pieces = model.initial_state(3), []
    for piece in tokens.split(5):
        logits, state = model(piece, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces), whole)
    restarted, _ = model(tokens[5:], model.initial_state(3))
    assert not torch.allclose(restarted, whole[5:])


@BOTH
def test_a_word_is_not_seen_before_it_is_predicted(name: str) -> None:
    model, tokens = small(name).eval(), some_tokens()
    changed = tokens.clone()
    changed[8:] = (changed[8:] + 1) % len(VOCABULARY)
    before, _ = model(tokens, model.initial_state(3))
    after, _ = model(changed, model.initial_state(3))
    torch.testing.assert_close(before[:8], after[:8])
    assert not torch.allclose(before[8:], after[8:])


@BOTH
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model = small(name)
    logits, _ = model(some_tokens(40, 8), tuple(s + 0.1 for s in model.initial_state(8)))
    cross_entropy(logits.flatten(0, 1), some_tokens(40, 8).flatten()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name


@BOTH
def test_a_state_dict_survives_safetensors(name: str, tmp_path: Path) -> None:
    model, other, tokens = small(name).eval(), small(name).eval(), some_tokens()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    expected, _ = model(tokens, model.initial_state(3))
    logits, _ = other(tokens, other.initial_state(3))
    torch.testing.assert_close(logits, expected)


def test_one_matrix_embeds_the_words_and_scores_them() -> None:
    model, tokens = Lstm(VOCABULARY, width_ratio="1/50").eval(), torch.zeros(4, 1, dtype=torch.long)
    before, _ = model(tokens, model.initial_state(1))
    with torch.no_grad():
        model.embedding.weight[5] += 1
    after, _ = model(tokens, model.initial_state(1))
    changed = (before != after).any(0).flatten().nonzero().flatten()
    assert changed.tolist() == [5]
    assert sum(p.shape == (len(VOCABULARY), 30) for p in model.parameters()) == 1


def states_in_training_and_evaluation(model: Lstm | CnnLstm) -> tuple[Tensor, Tensor]:
    tokens = some_tokens()
    _, (_, trained) = model.train()(tokens, model.initial_state(3))
    _, (_, evaluated) = model.eval()(tokens, model.initial_state(3))
    return trained, evaluated


def test_drop_out_leaves_the_recurrent_connections_alone() -> None:
    model = Lstm(VOCABULARY, width_ratio="1/50", dropout=0.9)
    nn.init.zeros_(model.embedding.weight)  # dropout on the input then changes nothing
    trained, evaluated = states_in_training_and_evaluation(model)
    torch.testing.assert_close(trained[0], evaluated[0])
    assert not torch.allclose(trained[1], evaluated[1])


def test_drop_out_acts_on_the_embedded_words_of_the_lstm() -> None:
    model = Lstm(VOCABULARY, width_ratio="1/50", layers=1)
    assert not torch.allclose(*states_in_training_and_evaluation(model))


def test_the_cnn_lstm_has_no_drop_out_between_highway_and_lstm() -> None:
    trained, evaluated = states_in_training_and_evaluation(small("cnn_lstm", dropout=0.9))
    torch.testing.assert_close(trained[0], evaluated[0])
    assert not torch.allclose(trained[1], evaluated[1])


@BOTH
def test_drop_out_acts_before_the_softmax(name: str) -> None:
    model = small(name, dropout=1.0)
    logits, _ = model(some_tokens(), model.initial_state(3))
    bias = model.bias if isinstance(model, Lstm) else model.output.bias
    torch.testing.assert_close(logits, bias.expand_as(logits))


@BOTH
def test_without_drop_out_training_and_evaluation_agree(name: str) -> None:
    torch.testing.assert_close(*states_in_training_and_evaluation(small(name, dropout=0.0)))


@BOTH
def test_parameters_start_uniform(name: str) -> None:
    model = small(name)
    bound = {"lstm": 0.04, "cnn_lstm": 0.05}[name] * math.sqrt(50)
    for parameter_name, parameter in model.named_parameters():
        if "gate.bias" in parameter_name:
            assert (parameter == -2).all()
        else:
            assert parameter.abs().max() <= bound, parameter_name
    weight = model.lstm.weight_hh_l0
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_a_highway_whose_gate_is_closed_is_the_identity() -> None:
    highway, x = Highway(7), torch.randn(5, 7)
    nn.init.constant_(highway.gate.bias, -1e4)
    assert torch.equal(highway(x), x)


def test_a_highway_whose_gate_is_open_is_its_transform() -> None:
    highway, x = Highway(7), torch.randn(5, 7)
    nn.init.constant_(highway.gate.bias, 1e4)
    torch.testing.assert_close(highway(x), highway.transform(x).relu())


def test_word_vectors_are_those_of_the_whole_padded_vocabulary() -> None:
    cnn = CnnLstm(VOCABULARY, width_ratio="1/10").characters
    padded = nn.functional.pad(characters(VOCABULARY), (0, 30))
    embedded = cnn.embedding(padded).transpose(1, 2)
    expected = torch.cat(
        [conv1d(embedded, c.weight, c.bias).tanh().amax(2) for c in cnn.convolutions], 1
    )
    every_word = torch.arange(len(VOCABULARY))
    torch.testing.assert_close(cnn(every_word), expected)
    for word in every_word:
        torch.testing.assert_close(cnn(word[None]), expected[word][None])


def test_padding_has_no_embedding_and_learns_none() -> None:
    model = small("cnn_lstm")
    logits, _ = model(some_tokens(), model.initial_state(3))
    logits.sum().backward()
    embedding = model.characters.embedding.weight
    assert not embedding[0].any()
    assert embedding.grad is not None
    assert not embedding.grad[0].any()


def perplexity(model: Lstm | CnnLstm, stream: Tensor, batch_size: int) -> float:
    state, total = model.eval().initial_state(batch_size), 0.0
    with torch.no_grad():
        for inputs, targets in windows(stream, batch_size, 35, keep_all=True):
            logits, state = model(inputs, state)
            loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
            total += loss.item()
    return math.exp(total / len(stream))


def unigram_perplexity(corpus: Corpus) -> float:
    counts = torch.bincount(corpus.train, minlength=len(corpus.vocabulary)) + 1.0
    return math.exp(-(counts / counts.sum()).log()[corpus.validation].mean().item())


def test_evaluation_in_columns_counts_every_token() -> None:
    model = Lstm(VOCABULARY, width_ratio="1/50")
    stream = some_tokens(101, 1).flatten()
    nn.init.zeros_(model.embedding.weight)
    log_probabilities = model.bias.log_softmax(0)
    expected = math.exp(-log_probabilities[stream].mean().item())
    assert perplexity(model, stream, 8) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lstm", {"layers": 1, "width_ratio": "1/25"}),
        pytest.param(
            "cnn_lstm", {"depth_ratio": "1/2", "width_ratio": "1/20"}, marks=pytest.mark.long
        ),
    ],
)
def test_training_beats_the_unigram_by_far(name: str, options: dict[str, Any]) -> None:
    corpus = load_corpus("python_reference", Path())
    model = create_language_model(name, corpus.vocabulary, dropout=0.0, **options)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        state = model.train().initial_state(20)
        for inputs, targets in windows(corpus.train, 20, 35):
            logits, state = model(inputs, tuple(s.detach() for s in state))
            loss = len(inputs) * cross_entropy(logits.flatten(0, 1), targets.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5)
            optimiser.step()
            optimiser.zero_grad()
    assert perplexity(model, corpus.validation, 20) < 0.85 * unigram_perplexity(corpus)
