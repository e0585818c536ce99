"""Encoders of texts: BERT's family, from a folder as Hugging Face has it.

    found = find_model("hf:sentence-transformers/all-MiniLM-L6-v2")
    encoder = load_text_encoder(found.folder, max_tokens=64)
    model = build_text_classifier(encoder, num_classes=5)

In: a folder with `config.json` and `model.safetensors`, or a name. Out: a
functional `keras.Model` of built-in layers from int32 token ids (batch,
max_tokens), those of padding behind the last, to a vector (batch, width) or to
logits. No torch. After each block there is a single tensor, at which a phase
can cut the network.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "BertDescription": "description",
        "ModelFolder": "hub",
        "build_text_classifier": "classifier",
        "find_model": "hub",
        "for_any_length": "classifier",
        "load_text_encoder": "loading",
        "read_description": "description",
    },
)
