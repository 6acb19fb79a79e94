import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqem.core.batch import SequenceBatch
from seqem.errors import DataError

LENGTHS = st.lists(st.integers(0, 7), min_size=1, max_size=12)


def batch_of(lengths, n_features=2):
    n = sum(lengths)
    values = np.arange(n * n_features, dtype=float).reshape(n, n_features)
    return SequenceBatch.from_lengths(values, lengths)


def test_sequences_come_back_as_they_went_in():
    sequences = [np.ones((2, 3)), np.zeros((1, 3)), np.full((4, 3), 2.0)]
    batch = SequenceBatch.of(sequences)
    assert len(batch) == 3
    assert batch.n_rows == 7
    assert batch.lengths.tolist() == [2, 1, 4]
    for ours, theirs in zip(batch, sequences, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(batch[-1], sequences[-1])
    with pytest.raises(IndexError):
        batch[3]


@pytest.mark.parametrize("empty", [[], np.empty((0, 2)), np.empty(0)])
def test_empty_sequences_are_legal(empty):
    batch = SequenceBatch.of([np.ones((2, 2)), empty, np.ones((1, 2))])
    assert batch.lengths.tolist() == [2, 0, 1]
    assert batch[1].shape == (0, 2)
    assert batch.values.shape == (3, 2)


def test_a_batch_of_nothing_but_empty_sequences():
    batch = SequenceBatch.of([[], []])
    assert (len(batch), batch.n_rows) == (2, 0)
    assert [shard.lengths.tolist() for shard in batch.shards(10)] == [[0, 0]]


def test_one_row_and_no_lengths():
    batch = SequenceBatch.from_lengths(np.array([[1.0, 2.0]]))
    assert batch.lengths.tolist() == [1]
    assert batch[0].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("lengths", [[2, 2], [6], [-1, 6], [[5]], []])
def test_wrong_lengths_are_refused(lengths):
    with pytest.raises(DataError, match=r"lengths do not add up.*sum to 5"):
        SequenceBatch.from_lengths(np.ones((5, 2)), lengths)


@pytest.mark.parametrize(
    "sequences", [[], [np.ones((2, 3)), np.ones((2, 4))], [np.ones(3), np.ones((3, 1))], [np.float64(1.0)]]
)
def test_sequences_that_do_not_agree_are_refused(sequences):
    with pytest.raises(DataError, match=r"no sequences|do not agree in shape"):
        SequenceBatch.of(sequences)


def test_a_scalar_is_refused():
    with pytest.raises(DataError, match="scalar"):
        SequenceBatch.from_lengths(3.0)


@given(LENGTHS, st.integers(1, 20))
def test_shards_cover_everything_once_in_order(lengths, rows):
    batch = batch_of(lengths)
    shards = batch.shards(rows)
    assert sum(len(shard) for shard in shards) == len(batch)
    assert [n for shard in shards for n in shard.lengths] == lengths
    np.testing.assert_array_equal(np.concatenate([shard.values for shard in shards]), batch.values)


@given(LENGTHS, st.integers(1, 20))
def test_a_shard_is_too_long_only_where_one_sequence_is(lengths, rows):
    for shard in batch_of(lengths).shards(rows):
        assert shard.n_rows <= rows or (shard.lengths > 0).sum() == 1


def test_what_is_known_goes_with_the_rows_and_sequences():
    batch = SequenceBatch.from_lengths(
        np.arange(6.0),
        [1, 2, 3],
        names=("a", "b", "c"),
        weights=np.array([1.0, 2.0, 3.0]),
        labels=np.arange(6),
        state_prior=np.arange(12.0).reshape(6, 2),
    )
    part = batch.between(1, 3)
    assert part.names == ("b", "c")
    assert part.weights.tolist() == [2.0, 3.0]
    assert part.labels.tolist() == [1, 2, 3, 4, 5]
    assert part.state_prior[0].tolist() == [2.0, 3.0]
    assert part[0].tolist() == [1.0, 2.0]
    nested = part.between(1, 2)
    assert (nested[0].tolist(), nested.names) == ([3.0, 4.0, 5.0], ("c",))


def test_shards_are_views_and_pickle():
    batch = batch_of([3, 4])
    shard = batch.shards(4)[1]
    assert np.shares_memory(shard.values, batch.values)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(shard)).values, shard.values)


def test_other_values_on_the_same_sequences():
    batch = batch_of([1, 2])
    assert batch.with_values(np.zeros(3)).lengths.tolist() == [1, 2]
