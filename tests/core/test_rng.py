import numpy as np
import pytest

from seqem.core.rng import generator


@pytest.mark.parametrize("make", [lambda: 5, lambda: np.random.SeedSequence(5), lambda: np.random.RandomState(5)])
def test_equal_states_give_equal_numbers(make):
    assert generator(make()).random(4).tolist() == generator(make()).random(4).tolist()


def test_a_generator_is_passed_through():
    rng = np.random.default_rng(1)
    assert generator(rng) is rng


def test_a_legacy_state_moves_on():
    state = np.random.RandomState(3)
    assert generator(state).random() != generator(state).random()


def test_none_is_fresh_each_time():
    assert generator().random() != generator(None).random()


def test_spawned_children_depend_on_the_seed_only():
    first, second = generator(9).spawn(2)
    again = generator(9).spawn(2)
    assert [rng.random() for rng in again] == [first.random(), second.random()]
