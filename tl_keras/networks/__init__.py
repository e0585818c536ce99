"""Where pretrained networks come from, and classifiers made of them.

    model = build_classifier("MobileNetV2", num_classes=5, weights="imagenet")
    probabilities = probabilities_model(model)

In: a backbone's name or `.keras` file and a few numbers. Out: a functional
`keras.Model` of built-in layers from raw pixels (batch, height, width, 3),
0 to 255, to float32 logits (batch, num_classes). The backbone's layers lie in
it one by one, not as a nested model, so that a phase can unfreeze from any of
them and a graph can be cut at any of them.

`backbones` is the table of Keras applications and needs no Keras;
`pretrained` ships a small network of our own.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "FIRST_OF_HEAD": "loading",
        "LOGITS": "building",
        "POOLINGS": "building",
        "as_graph": "flattening",
        "build_classifier": "building",
        "inference": "inference_mode",
        "inner_graph": "flattening",
        "inner_layers": "loading",
        "inputs_of": "loading",
        "load_backbone": "loading",
        "mirrored": "views",
        "multiply_adds": "graph",
        "ordered_nodes": "graph",
        "answers_model": "building",
        "probabilities_model": "building",
        "scaling_hint": "scaling",
        "set_precision": "loading",
        "split_layers": "graph",
        "usual_scaling": "scaling",
        "usual_unfreeze": "building",
        "warm_start": "initial_weights",
        "with_head": "building",
        "with_less_at_once": "inference_mode",
    },
)
