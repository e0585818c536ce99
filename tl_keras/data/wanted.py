"""Which columns a reader of tables needs.

    Wanted(label=True).header                 # "path,label[,split]"

In: names, as they were given. Out: a `Wanted`, which says by which names a
header is known and what is expected of one.
"""

import dataclasses

# The column of paths, by its usual names; the first that is there counts. A
# run's split.csv says `id`, and other tables number their rows so.
PATH_NAMES = (
    "path", "filename", "file_name", "filepath", "file_path", "file", "fname",
    "image_path", "imagepath", "img_path", "image_file", "image_filename",
    "image_file_name", "img_file", "image", "img", "photo", "picture",
    "image_name", "imagename", "img_name", "image_index", "image_id",
    "imageid", "img_id", "id",
)  # fmt: skip
# The column of splits in a file of splits alone, where none is called split.
SPLIT_NAMES = (
    "partition", "subset", "is_train", "is_training", "is_training_image",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The columns that a reader needs.

    Attributes:
        path_column, label_column: their names in the file, or their numbers
            from 1 on where it has no header; "" to find them by usual names.
        label: whether there must be labels.
        others: names of more columns that there must be.
        expected: the header in words; "" to say it by the others.
    """

    path_column: str = ""
    label_column: str = ""
    label: bool = False
    others: tuple[str, ...] = ()
    expected: str = ""

    @property
    def usual_names(self) -> tuple[str, ...]:
        """Names by which a header, and its separator, is known."""
        given = (self.path_column, self.label_column, *self.others)
        splits = SPLIT_NAMES if "split" in self.others else ()
        return (*PATH_NAMES, *(name.lower() for name in given if name), *splits)

    @property
    def header(self) -> str:
        """The header that is expected, in words."""
        if self.expected:
            return self.expected
        path = self.path_column or "path"
        label = [self.label_column or "label"] * self.label
        return ",".join([path, *label, *self.others]) + "[,split]"
