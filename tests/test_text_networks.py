"""Encoders of BERT's family: their numbers, their cuts, what is refused."""

import json

import bert_reference
import keras
import numpy as np
import pytest
from bert_reference import ReferenceTokenizer, random_weights, write_tiny_bert
from test_text_tokens import NASTY, WORDS, any_texts

from tl_keras.errors import ConfigError
from tl_keras.networks.text import (
    build_text_classifier,
    for_any_length,
    load_text_encoder,
    read_description,
)
from tl_keras.strategies import cutting, set_trainable, training_graph

LENGTH = 24
TOKENIZER = ReferenceTokenizer(WORDS)


def expected(weights, texts=NASTY, pooling="mean") -> np.ndarray:
    """The reference's vectors."""
    rows = []
    for text in texts:
        ids = [i for i in TOKENIZER.ids(text, LENGTH)[0] if i]
        rows.append(bert_reference.encode(weights, ids, pooling))
    return np.stack(rows)


def token_ids(texts=NASTY) -> np.ndarray:
    return any_texts().tokenize([text.encode() for text in texts]).ids.numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("tiny") / "tiny_bert")


@pytest.fixture(scope="module")
def encoder(folder):
    return load_text_encoder(folder, max_tokens=LENGTH)


def test_it_gives_the_reference_s_vectors(encoder):
    found = encoder.predict(token_ids(), verbose=0)
    np.testing.assert_allclose(found, expected(random_weights()), atol=1e-5)
    assert found.dtype == np.float32
    assert encoder.name == "tiny_bert"


def pooled_by(folder, mode, *more):
    """What sentence-transformers writes beside a network."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), *more]
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"path": path, "type": f"sentence_transformers.models.{kind}"}
                for path, kind in modules
            ]
        )
    )
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({f"pooling_mode_{mode}": True, "pooling_mode_x": False})
    )


def test_modules_json_says_how_tokens_are_pooled(tmp_path):
    write_tiny_bert(tmp_path)
    pooled_by(tmp_path, "cls_token", ("2_Normalize", "Normalize"))
    description = read_description(tmp_path)
    assert (description.pooling, description.normalize) == ("cls", True)
    ids = token_ids(NASTY[:5])
    for pooling, by in (("auto", "cls"), ("mean", "mean")):
        network = load_text_encoder(
            tmp_path, max_tokens=LENGTH, pooling=pooling, normalize=True
        )
        wanted = expected(random_weights(), NASTY[:5], by)
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        np.testing.assert_allclose(network(ids), wanted, atol=1e-5)


def as_old(weights):
    """The names of TensorFlow's first BERT, and a prefix."""
    return {
        "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): array
        for name, array in weights.items()
    }  # fmt: skip


def as_distilbert(weights):
    """DistilBERT's names; it has no segments."""
    renamed = {
        "encoder.layer": "transformer.layer",
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }
    named = {}
    for name, array in weights.items():
        if "token_type" in name or "pooler" in name:
            continue
        for old, new in renamed.items():
            if old == "encoder.layer" or name.count(old):
                name = name.replace(old, new)
        named["distilbert." + name] = array
    return named


def test_files_name_their_tensors_in_several_ways(tmp_path):
    weights = random_weights()
    weights["embeddings.token_type_embeddings.weight"][:] = 0
    wanted = expected(weights, NASTY[:4])
    config = {
        "model_type": "distilbert", "dim": 16, "n_layers": 2, "n_heads": 2,
        "hidden_dim": 24, "activation": "gelu", "dropout": 0.1,
        "attention_dropout": 0.1,
    }  # fmt: skip
    for name, named, more in (
        ("old", as_old(weights), {}),
        ("distil", as_distilbert(weights), config),
    ):
        write_tiny_bert(tmp_path / name, named, **more)
        network = load_text_encoder(tmp_path / name, max_tokens=LENGTH)
        np.testing.assert_allclose(
            network(token_ids(NASTY[:4])), wanted, atol=1e-5
        )


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_half_precision_in_the_file_is_float32_in_the_network(tmp_path, dtype):
    write_tiny_bert(tmp_path)
    weights = random_weights()
    bert_reference.write_safetensors(
        tmp_path / "model.safetensors", weights, dtype
    )
    network = load_text_encoder(tmp_path, max_tokens=LENGTH)
    assert {v.dtype for v in network.variables if "seed" not in v.path} == {
        "float32"
    }
    wanted = expected(weights, NASTY[:4])
    np.testing.assert_allclose(network(token_ids(NASTY[:4])), wanted, atol=0.1)


def test_approximate_gelu_is_built_where_the_model_has_it(tmp_path):
    write_tiny_bert(tmp_path, hidden_act="gelu_new")
    network = load_text_encoder(tmp_path, max_tokens=LENGTH)
    difference = np.abs(network(token_ids()) - expected(random_weights())).max()
    assert 1e-6 < difference < 1e-2


def test_padding_changes_nothing(encoder):
    serving = for_any_length(encoder)
    ids = token_ids(["free entry", "win"])
    short = serving(ids[:, :5])
    np.testing.assert_allclose(short, encoder(ids), atol=1e-6)
    longer = np.pad(ids, [(0, 0), (0, 9)])
    np.testing.assert_allclose(serving(longer), short, atol=1e-6)


@pytest.fixture
def classifier(folder):
    keras.utils.set_random_seed(0)
    return build_text_classifier(
        load_text_encoder(folder, max_tokens=LENGTH), 3, dropout=0.1
    )


def test_there_is_a_cut_after_each_block(classifier):
    places = {cut.position for cut in cutting.find_cuts(classifier)}
    nodes = [n.operation.name for n in cutting.ordered_nodes(classifier)]
    for number in range(2):
        last = nodes.index(f"block_{number}_norm")
        # The row of zeros for padding is what comes after it.
        assert places & {last + 1, last + 2, last + 3}
    cut = cutting.cut_for(classifier, "block_1")
    assert nodes.index("block_0_norm") < cut.position
    assert cut.position < nodes.index("block_1_attention")
    trunk, tail = cutting.split_at(classifier, cut)
    ids = token_ids()
    np.testing.assert_array_equal(
        tail(trunk(ids)).numpy(), classifier(ids, training=False).numpy()
    )


def test_what_is_frozen_stays_bit_for_bit(classifier):
    set_trainable(classifier, "block_1")
    before = {v.path: v.numpy() for v in classifier.variables}
    fitting = training_graph(classifier)
    fitting.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    ids = token_ids()
    fitting.fit(ids, np.arange(len(ids)) % 3, epochs=1, verbose=0)
    frozen = ("embedding", "block_0_")
    for variable in classifier.trainable_variables:
        assert not any(part in variable.path for part in frozen)
    for variable in classifier.variables:
        same = np.array_equal(before[variable.path], variable.numpy())
        if any(part in variable.path for part in frozen):
            if "seed_generator" not in variable.path:
                assert same, variable.path
        if variable.path.endswith(("block_1_dense_in/kernel", "logits/kernel")):
            assert not same, variable.path


def test_bfloat16_computes_nearly_the_same(folder):
    exact = load_text_encoder(folder, max_tokens=LENGTH)
    wanted = exact(token_ids()).numpy()
    model = build_text_classifier(exact, 3, precision="mixed_bfloat16")
    cut = model.get_layer("head_pooling").output
    found = keras.Model(model.input, cut)(token_ids()).numpy()
    assert found.dtype == np.float32
    difference = np.abs(found - wanted).max()
    assert 1e-5 < difference < 0.2


def test_the_model_is_saved_and_loaded(classifier, tmp_path):
    classifier.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    ids = token_ids()
    np.testing.assert_array_equal(again(ids), classifier(ids))


CONFIG = bert_reference.CONFIG


@pytest.mark.parametrize(
    ("config", "expected_line"),
    [
        ({"model_type": "gpt2"}, "of kind 'gpt2'"),
        ({"model_type": None}, "of kind None"),
        ({"hidden_size": 17}, "not shared by 2 heads"),
        ({"hidden_size": "16"}, "width is '16'"),
        ({"num_hidden_layers": 0}, "blocks is 0"),
        ({"num_hidden_layers": True}, "blocks is True"),
        ({"hidden_act": "swishy"}, "activation is 'swishy'"),
        ({"position_embedding_type": "relative_key"}, "expected absolute"),
        ({"is_decoder": True}, "expected an encoder"),
        ({"hidden_dropout_prob": 1.5}, "dropout is 1.5"),
        ({"vocab_size": 3}, r"of the shape \(\d+, 16\); expected \(3, 16\)"),
        ({"num_hidden_layers": 3}, "expected a tensor encoder.layer.2"),
        ({"num_hidden_layers": 1}, "says 1 blocks, and"),
        ({"intermediate_size": 25}, r"\(24, 16\); expected \(25, 16\)"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(tmp_path, config, expected_line):
    write_tiny_bert(tmp_path, **config)
    with pytest.raises(ConfigError, match=expected_line):
        load_text_encoder(tmp_path, max_tokens=LENGTH)


@pytest.mark.parametrize(
    ("arguments", "expected_line"),
    [
        ({"max_tokens": 41}, "expected 3 to 40"),
        ({"max_tokens": 2}, "expected 3 to 40"),
        ({"pooling": "max"}, "expected auto, mean or cls"),
        ({"words": CONFIG["vocab_size"] + 1}, "which its network knows"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    folder, arguments, expected_line
):
    with pytest.raises(ConfigError, match=expected_line):
        load_text_encoder(folder, **{"max_tokens": LENGTH} | arguments)


@pytest.mark.parametrize(
    ("file", "content", "expected_line"),
    [
        ("config.json", None, "found none in it"),
        ("config.json", "[]", "expected an object"),
        ("config.json", "{", "not readable as JSON"),
        ("modules.json", '[{"type": "x.Dense"}]', "has 'Dense' in it"),
        ("modules.json", "{}", "expected a list of modules"),
        (
            "modules.json",
            '[{"type": "x.Pooling", "path": "../other"}]',
            "lies beside it",
        ),
        (
            "modules.json",
            '[{"type": "x.Pooling", "path": "1_Pooling"}]',
            "expected the pooling's settings",
        ),
        ("model.safetensors", None, "expected model.safetensors"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(
    tmp_path, file, content, expected_line
):
    write_tiny_bert(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    with pytest.raises(ConfigError, match=expected_line) as caught:
        load_text_encoder(tmp_path, max_tokens=LENGTH)
    assert len(str(caught.value).splitlines()) == 1


def test_pooling_that_is_not_built_here_is_refused(tmp_path):
    write_tiny_bert(tmp_path)
    pooled_by(tmp_path, "max_tokens")
    with pytest.raises(ConfigError, match="pools by pooling_mode_max_tokens"):
        load_text_encoder(tmp_path, max_tokens=LENGTH)


def test_whole_numbers_for_weights_are_refused(tmp_path):
    write_tiny_bert(tmp_path)
    file = tmp_path / "model.safetensors"
    # Of the same size, so that only the type is wrong.
    file.write_bytes(file.read_bytes().replace(b'"F32"', b'"I32"'))
    with pytest.raises(ConfigError, match="before it was quantized"):
        load_text_encoder(tmp_path, max_tokens=LENGTH)


def test_a_classifier_of_pictures_is_no_encoder(tmp_path):
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, keras.layers.Conv2D(2, 3)(image), name="net")
    with pytest.raises(ConfigError, match="encoder net: expected one input"):
        build_text_classifier(network, 2)
    with pytest.raises(ConfigError, match="num_classes=0"):
        build_text_classifier(network, 0)
