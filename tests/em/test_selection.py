from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from seqem import GaussianHMM, PoissonHMM
from seqem.core.tree import tree_equal
from seqem.em.selection import CRITERIA, select
from seqem.errors import NumericalError, ParameterError

X = np.random.default_rng(3).poisson(np.repeat([2, 12, 40, 2, 40, 12], 60))
RECIPE = PoissonHMM(random_state=0, n_iter=60, tol=1e-6)


@pytest.fixture(scope="module")
def found():
    return select(RECIPE, X, n_components=range(1, 6), n_init=3)


def test_the_true_number_of_states_is_found(found):
    assert found.best.n_components == 3
    assert [row.settings["n_components"] for row in found.table] == [1, 2, 3, 4, 5]
    assert all(row.error is None and row.seconds > 0 for row in found.table)


def test_rows_say_what_the_estimator_says(found):
    row = found.table[2]
    assert row.log_likelihood == pytest.approx(found.best.score(X), rel=1e-12)
    for criterion in CRITERIA:
        assert getattr(row, criterion) == getattr(found.best, criterion)(X)
    assert row.bic == min(other.bic for other in found.table)
    assert row.bic == pytest.approx(-2 * row.log_likelihood + row.n_parameters * np.log(len(X)))


def test_the_best_is_what_a_fit_of_its_own_gives(found):
    alone = PoissonHMM(3, random_state=0, n_iter=60, tol=1e-6, n_init=3).fit(X)
    assert tree_equal(alone.params_, found.best.params_)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_criterion_decides(criterion):
    found = select(RECIPE, X, n_components=[1, 2, 3], criterion=criterion)
    values = {row.settings["n_components"]: getattr(row, criterion) for row in found.table}
    assert found.best.n_components == min(values, key=values.get)
    assert found.criterion == criterion


def _facts(found):
    return [row._replace(seconds=0.0) for row in found.table]


def test_threads_give_the_same(found):
    with ThreadPoolExecutor(3) as executor:
        again = select(RECIPE, X, n_components=range(1, 6), n_init=3, executor=executor)
    assert _facts(again) == _facts(found)
    assert tree_equal(again.best.params_, found.best.params_)


@pytest.mark.slow
def test_processes_give_the_same(found):
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        again = select(RECIPE, X, n_components=range(1, 6), n_init=3, executor=executor)
    assert _facts(again) == _facts(found)


def test_one_draw_of_a_generator_serves_all_fits():
    seeds = [np.random.default_rng(5), np.random.default_rng(5)]
    first, second = (select(PoissonHMM(random_state=seed), X, n_components=[1, 2]) for seed in seeds)
    assert _facts(first) == _facts(second)
    assert isinstance(first.best.random_state, int)


def test_a_number_of_states_that_fails_is_a_row_with_the_reason():
    mask = np.array([[True, True], [False, True]])
    found = select(PoissonHMM(random_state=0, topology=mask), X, n_components=[1, 2])
    assert found.best.n_components == 2
    assert "topology" in found.table[0].error
    assert np.isnan(found.table[0].bic)


def test_nothing_to_choose_from():
    with pytest.raises(NumericalError, match="no choice"):
        select(PoissonHMM(topology=np.eye(7, dtype=bool)), X, n_components=[2, 3])
    with pytest.raises(ParameterError, match="empty"):
        select(RECIPE, X, n_components=[])
    with pytest.raises(ParameterError, match="criterion"):
        select(RECIPE, X, criterion="best")


def test_the_recipe_is_not_changed_and_sequences_have_lengths():
    recipe = GaussianHMM(random_state=1)
    found = select(recipe, X.astype(float)[:, None], [100, 260], n_components=[1, 2])
    assert not hasattr(recipe, "means_")
    assert recipe.n_components == 1
    assert found.to_frame()["n_components"].tolist() == [1, 2]


def test_callbacks_hear_of_every_fit():
    starts = []
    select(
        RECIPE,
        X,
        n_components=[1, 2],
        callbacks=[lambda event: starts.append(event.stage) if event.stage == "start" else None],
    )
    assert starts == ["start", "start"]
