"""A forest of small trees by bit masks, every tree at once (QuickScorer: Lucchese et al., SIGIR 2015).

Descending a tree takes one step per level, and each step depends on the one before. Instead, each tree has a
number with a bit for each leaf, the leftmost lowest. A split that sends a row to the right rules out the leaves
on its left. The leaves that a value of one column rules out in every tree are a row of a table: one lookup for
each column, and the lowest remaining bit is the leaf.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
_MAX_LEAVES = 64  # leaves of a tree: the bits of a number
_LARGEST = 64_000_000  # bytes of a table
_CHUNK_BYTES = 400_000  # bytes of masks that are combined at a time: what a core's own cache holds
_LEAF, _SET = 0, 2  # by treelite: an end, and a split by a set of categories
_LESS = 2  # by treelite: what is less than the threshold goes to the left; else what is equal does, too


@dataclass(frozen=True)
class Leaves:
    """A forest as tables.

    Attributes
    ----------
    limits : list of array (k,)
        By column: the thresholds of all trees in order, or the numbers of its categories.
    table : array (rows, trees)
        The leaves that are not ruled out, as bits. A column has k + 2 rows: one for each number of
        limits below a value, and the last for a missing value.
    values : array (trees, bits)
        Of the leaves.
    begins : array (classes,)
        The first tree of each class.
    base : array (classes,)
        The constant to which the trees' values are added.
    """

    limits: list[Floats]
    table: NDArray[Any]
    values: Floats
    begins: Places
    base: Floats

    @cached_property
    def _missing(self) -> Places:
        return np.cumsum([len(limits) + 2 for limits in self.limits]) - 1

    @cached_property
    def _starts(self) -> Places:
        return np.array([0, *self._missing[:-1] + 1])

    def scores(self, inputs: Floats) -> Floats:
        """The sums of the trees' values.

        Parameters
        ----------
        inputs : array (n, columns)
            NaN where a value is missing; categories as whole numbers from 0.

        Returns
        -------
        array (n, classes)
        """
        rows = np.empty(inputs.shape, np.intp)
        for column, limits in enumerate(self.limits):
            rows[:, column] = limits.searchsorted(inputs[:, column])
        rows = np.where(np.isnan(inputs), self._missing, rows + self._starts)
        chunk = max(1, _CHUNK_BYTES // (self.table[0].nbytes * len(self.limits)))
        return np.concatenate(
            [self._sum_leaf_values(rows[at : at + chunk]) for at in range(0, max(1, len(rows)), chunk)]
        )

    def _sum_leaf_values(self, rows: Places) -> Floats:
        left = np.bitwise_and.reduce(self.table[rows], axis=1)
        lowest = np.bitwise_count(~left & (left - self.table.dtype.type(1)))
        trees, bits = self.values.shape
        values = self.values.ravel().take(lowest + np.arange(0, trees * bits, bits))
        if values.dtype == np.float32:
            return self._single_sums(values)
        return np.add.reduceat(values, self.begins, axis=1) + self.base

    def _single_sums(self, values: NDArray[np.float32]) -> Floats:
        """Sums in single precision, tree by tree from the constant on, as XGBoost adds them."""
        by_tree = np.ascontiguousarray(values.T)
        ends = [*self.begins[1:], len(by_tree)]
        parts = [by_tree[begin:end] for begin, end in zip(self.begins, ends, strict=True)]
        sums = [_sequential_sum(part, np.float32(base)) for part, base in zip(parts, self.base, strict=True)]
        return np.stack(sums, axis=1).astype(np.float64)

    def save(self, path: Path) -> None:
        """Write the tables into a file."""
        counts = np.array([len(limits) for limits in self.limits])
        rest = {"table": self.table, "values": self.values, "begins": self.begins, "base": self.base}
        np.savez(path, allow_pickle=False, counts=counts, limits=np.concatenate(self.limits), **rest)

    @classmethod
    def load(cls, path: Path) -> "Leaves":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            limits = np.split(stored["limits"], np.cumsum(stored["counts"])[:-1])
            return cls(limits, stored["table"], stored["values"], stored["begins"], stored["base"])


def _sequential_sum(terms: NDArray[np.float32], initial: np.float32) -> NDArray[np.float32]:
    """The sum over the first axis, one term after the other; of few columns numpy would add in another order."""
    if terms.shape[1] < 8:
        start = np.full((1, terms.shape[1]), initial)
        return np.asarray(np.add.accumulate(np.concatenate([start, terms]), axis=0)[-1])
    return np.asarray(np.add.reduce(terms, axis=0, initial=initial))


@dataclass(frozen=True)
class _Split:
    column: int
    tree: int
    threshold: float
    categories: list[int] | None
    listed: bool  # whether the listed categories, or all others, go to the right
    gap: bool  # whether a missing value goes to the right
    ruled_out: int

    def sends(self, limits: Floats) -> NDArray[np.bool_]:
        """Which rows of the column's part of the table go to the right."""
        rows = np.arange(len(limits) + 2)
        if self.categories is None:
            sent = rows > np.searchsorted(limits, self.threshold)
        else:
            sent = np.isin(rows, self.categories) == self.listed
        sent[-1] = self.gap
        return sent


def tabulated(forest: Any) -> Leaves | None:
    """The tables of a forest; None if its trees are too large or of another kind.

    Parameters
    ----------
    forest : treelite.Model
    """
    header = forest.get_header_accessor()
    of_class = np.asarray(header.get_field("class_id"))
    trees = [forest.get_tree_accessor(int(number)) for number in np.argsort(of_class, kind="stable")]
    most = max(int((tree.get_field("node_type") == _LEAF).sum()) for tree in trees)
    single = header.get_field("leaf_vector_shape").prod() == 1 and not header.get_field("average_tree_output")[0]
    if most > _MAX_LEAVES or not single:
        return None
    bits: Any = np.uint32 if most <= _MAX_LEAVES // 2 else np.uint64
    values, splits = np.zeros((len(trees), np.iinfo(bits).bits), forest.output_type), []
    for number, tree in enumerate(trees):
        leaf_values, tree_splits = _read_tree(tree, number)
        values[number, : len(leaf_values)] = leaf_values
        splits += tree_splits
    columns = [
        [split for split in splits if split.column == place] for place in range(int(header.get_field("num_feature")[0]))
    ]
    limits = [_limits(column_splits) for column_splits in columns]
    parts = [np.full((len(column_limits) + 2, len(trees)), np.iinfo(bits).max, bits) for column_limits in limits]
    if sum(part.nbytes for part in parts) > _LARGEST:
        return None
    for column_splits, column_limits, part in zip(columns, limits, parts, strict=True):
        for split in column_splits:
            part[split.sends(column_limits), split.tree] &= bits(np.iinfo(bits).max - split.ruled_out)
    begins = np.searchsorted(np.sort(of_class), np.unique(of_class))
    return Leaves(
        limits, np.concatenate(parts), values, begins, np.asarray(header.get_field("base_scores"), np.float64)
    )


def _limits(splits: list[_Split]) -> Floats:
    if any(split.categories is not None for split in splits):
        return np.arange(1.0 + max((max(split.categories or [0]) for split in splits), default=0))
    return np.unique([split.threshold for split in splits])


def _read_tree(tree: Any, number: int) -> tuple[list[float], list[_Split]]:
    """The values of a tree's leaves from left to right, and its splits.

    A split that sends what is less than a number to the left is one at the number before it.
    """
    names = ("node_type", "cleft", "cright", "split_index", "leaf_value", "default_left")
    kind, left, right, column, value, gap_left = (tree.get_field(name).tolist() for name in names)
    listed, begin, end = (
        tree.get_field(f"category_list{name}").tolist() for name in ("_right_child", "_begin", "_end")
    )
    sets = tree.get_field("category_list").tolist()
    less = tree.get_field("cmp") == _LESS
    at = tree.get_field("threshold")
    threshold = np.where(less, np.nextafter(at, at.dtype.type(-np.inf)), at).tolist()
    leaf_values: list[float] = []
    splits: list[_Split] = []

    def visit(node: int) -> None:
        if kind[node] == _LEAF:
            leaf_values.append(value[node])
            return
        first = len(leaf_values)
        visit(left[node])
        ruled_out = (1 << len(leaf_values)) - (1 << first)
        among = sets[begin[node] : end[node]] if kind[node] == _SET else None
        splits.append(
            _Split(column[node], number, threshold[node], among, bool(listed[node]), not gap_left[node], ruled_out)
        )
        visit(right[node])

    visit(0)
    return leaf_values, splits
