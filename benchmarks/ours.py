"""Our side of a benchmark: the same work through our pieces."""

import contextlib
import io
import pathlib
import tempfile

import keras

from benchmarks.plain_keras import Work
from tl_keras.compute.precision import choose_precision
from tl_keras.features import FeatureStore
from tl_keras.networks import build_classifier, load_backbone
from tl_keras.sources import (
    FixedBatches,
    LabelledSplits,
    TensorMemory,
    TrainingBatches,
    load_images,
)
from tl_keras.tasks.multiclass.evaluation import evaluate_classifier
from tl_keras.training import Phase, fit_phases


def train(
    work: Work,
    *,
    cache: str | None,
    solver: str = "adam",
    precision: str = "float32",
) -> tuple[keras.Model, LabelledSplits]:
    """The phases of `work`, best weights kept.

    Args:
        work: what to do.
        cache: folder of the feature store, or None for none.
        solver: of the head.
        precision: or "auto", as the command decides it.
    """
    keras.utils.set_random_seed(0)
    images = load_images(str(work.data), image_size=work.image_size)
    arguments = dict(work.arguments)
    network = load_backbone(
        work.backbone, image_size=work.image_size, arguments=arguments,
        weights=work.weights or "none",
    )  # fmt: skip
    if precision == "auto":
        precision = choose_precision(network, device="cpu", name=work.backbone)
    model = build_classifier(
        network, len(images.class_names), head_units=work.head_units,
        precision=precision,
        input_scaling="tf" if work.backbone.startswith("Mobile") else "caffe",
    )  # fmt: skip
    memory = TensorMemory(4.0)
    phases = [
        Phase("head", work.head_epochs, 1e-3, solver=solver),
        Phase("fine_tune", work.fine_tune_epochs, 1e-4,
              unfreeze_from=work.unfreeze_from),
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        fit_phases(
            model,
            [phase for phase in phases if phase.epochs],
            TrainingBatches(images.train, work.batch_size, memory=memory),
            FixedBatches(images.val, work.batch_size, memory),
            features=cache and FeatureStore(cache),
            verbose=0,
        )
    return model, images


def accuracy(model: keras.Model, images: LabelledSplits) -> float:
    """On the test split."""
    names = images.class_names
    data = images.test.batches(32)
    found = evaluate_classifier(model, data, class_names=names)
    return found.metrics["accuracy"]


@contextlib.contextmanager
def empty_cache():
    """A feature store that holds nothing yet."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(pathlib.Path(folder, "features"))


def classic_seconds(work: Work) -> float:
    """The document's recipe: a 4096-4096-N head, all of VGG16 trains."""
    keras.utils.set_random_seed(0)
    images = load_images(str(work.data), image_size=work.image_size)
    model = build_classifier(
        work.backbone, len(images.class_names), weights="none",
        pooling="flatten", head_units=(4096, 4096), dropout=0.5,
    )  # fmt: skip
    phase = Phase(
        "fine_tune", work.fine_tune_epochs, 1e-3, unfreeze_from="all",
        schedule="constant", warmup_epochs=0,
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        train = TrainingBatches(images.train, 32, memory=TensorMemory(4.0))
        result = fit_phases(model, [phase], train, verbose=0)
    return result.phases[0].seconds
