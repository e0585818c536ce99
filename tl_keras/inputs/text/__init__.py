"""What a text becomes: its tokens, in the graph; an excerpt, for people.

    vocabulary = read_vocabulary("models/MiniLM")
    text_input = TextInput(vocabulary, max_tokens=64)
    inputs, status = text_input.decode(tf.constant(["free entry!"]))
    inputs["token_ids"]                  # int32 (1, 64)

In: a vocabulary as BERT's family has it, and UTF-8. Out: token ids by core
TensorFlow operations alone, the same in training and in an exported graph.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "FIELD_MARK": "vocabulary",
        "TextAndTfidf": "text_and_tfidf",
        "TextFacts": "facts",
        "TextInput": "text_input",
        "TfidfInput": "tfidf_input",
        "Tokens": "wordpiece",
        "Vocabulary": "vocabulary",
        "WordPiece": "wordpiece",
        "excerpt": "facts",
        "facts_of": "facts",
        "read_vocabulary": "vocabulary",
        "write_vocabulary": "vocabulary_files",
    },
)
