"""A fit taken up from a checkpoint ends in the same bits as one that was never broken off."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqem.core.tree import tree_equal
from seqem.em.accelerate import squarem
from seqem.em.checkpoint import Checkpoint
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import FormatError, ParameterError
from tests.em.models import (
    BELLS_START,
    LINKAGE,
    LONDON,
    LONDON_START,
    GaussianMixture,
    Linkage,
    PoissonMixture,
    Recombination,
    two_bells,
)

ROOT = Path(__file__).resolve().parents[2]


def assert_same(resumed, whole):
    assert tree_equal(resumed.params, whole.params)
    assert (resumed.objective, resumed.log_likelihood) == (whole.objective, whole.log_likelihood)
    assert (resumed.n_iter, resumed.stop_reason, resumed.stop_detail) == (
        whole.n_iter,
        whole.stop_reason,
        whole.stop_detail,
    )
    assert [record[:4] for record in resumed.history] == [record[:4] for record in whole.history]
    assert (np.diff(resumed.history.seconds) > 0).all()


@pytest.mark.parametrize("accelerate", [None, squarem])
@pytest.mark.parametrize(
    ("model", "start", "data"),
    [
        (PoissonMixture(), LONDON_START, LONDON),
        (GaussianMixture(), BELLS_START, two_bells()),
        (Linkage(), Recombination(0.1), LINKAGE),
    ],
)
def test_a_resumed_fit_ends_in_the_same_bits(tmp_path, model, start, data, accelerate):
    path = tmp_path / "fit.npz"
    rule = StopRule(max_iter=200, param_tol=1e-9)
    whole = fit(model, start, [data], stop=rule, accelerate=accelerate)

    fit(model, start, [data], stop=StopRule(max_iter=5), accelerate=accelerate, callbacks=[Checkpoint(path)])
    resume = Checkpoint.load(path, like=start)
    assert 5 <= resume.history[-1].iteration <= 7 < whole.n_iter
    assert_same(fit(model, start, [data], stop=rule, accelerate=accelerate, resume=resume), whole)


KILLED = """
import os, signal, sys
from seqem.em.accelerate import squarem
from seqem.em.checkpoint import Checkpoint
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from tests.em.models import LONDON, LONDON_START, PoissonMixture

def kill(event):
    if event.iteration >= 20:
        os.kill(os.getpid(), signal.SIGKILL)

fit(PoissonMixture(), LONDON_START, [LONDON], stop=StopRule(max_iter=50), accelerate=squarem,
    callbacks=[Checkpoint(sys.argv[1]), kill])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_process_leaves_a_checkpoint_to_go_on_from(tmp_path):
    path = tmp_path / "fit.npz"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    rule = StopRule(max_iter=50)
    resume = Checkpoint.load(path, like=LONDON_START)
    assert 20 <= resume.history[-1].iteration < 23
    resumed = fit(PoissonMixture(), LONDON_START, [LONDON], stop=rule, accelerate=squarem, resume=resume)
    assert_same(resumed, fit(PoissonMixture(), LONDON_START, [LONDON], stop=rule, accelerate=squarem))
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]


def test_an_interrupt_while_writing_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    savez = np.savez
    writings = []

    def interrupted(stream, **arrays):
        writings.append(stream)
        if len(writings) >= 4:
            stream.write(b"half a file")
            raise KeyboardInterrupt
        savez(stream, **arrays)

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(Linkage(), Recombination(0.5), [LINKAGE], callbacks=[Checkpoint(path)])
    assert Checkpoint.load(path, like=Recombination(0.5)).history[-1].iteration == 3
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]


def iterations_written(tmp_path, monkeypatch, **options):
    written = []
    replace = os.replace
    path = tmp_path / "fit.npz"

    def note(source, target):
        replace(source, target)
        written.append(Checkpoint.load(path, like=Recombination(0.5)).history[-1].iteration)

    monkeypatch.setattr(os, "replace", note)
    fit(
        Linkage(),
        Recombination(0.5),
        [LINKAGE],
        stop=StopRule(max_iter=8),
        callbacks=[Checkpoint(path, **options)],
    )
    return written


def test_every_few_steps_and_at_the_end(tmp_path, monkeypatch):
    assert iterations_written(tmp_path, monkeypatch, every=3) == [3, 6, 8]


def test_not_more_often_than_seconds(tmp_path, monkeypatch):
    assert iterations_written(tmp_path, monkeypatch, seconds=3600.0) == [8]


def test_an_interrupted_fit_writes_where_it_stood(tmp_path):
    path = tmp_path / "fit.npz"

    def interrupt(event):
        if event.iteration == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Linkage(), Recombination(0.5), [LINKAGE], callbacks=[interrupt, Checkpoint(path, every=100)])
    resume = Checkpoint.load(path, like=Recombination(0.5))
    assert resume.history[-1].iteration == 4
    assert resume.objective == resume.history[-1].objective


def test_nothing_in_the_file_is_pickled(tmp_path):
    path = tmp_path / "fit.npz"
    fit(PoissonMixture(), LONDON_START, [LONDON], stop=StopRule(max_iter=2), callbacks=[Checkpoint(path)])
    with np.load(path, allow_pickle=False) as stored:
        assert {"params.p", "params.rates", "history.objective", "objective"} <= set(stored)
        assert not any(array.dtype.hasobject for array in stored.values())
    with pytest.raises(ParameterError, match="cannot be written"):
        fit(Odd(), {"odd": np.array([None, 0.5])}, [LINKAGE], callbacks=[Checkpoint(path)])


class Odd(Linkage):
    """Its parameters hold an array of objects."""

    def e_step(self, params, y):
        return super().e_step(Recombination(params["odd"][1]), y)

    def m_step(self, stats, params):
        return {"odd": np.array([None, super().m_step(stats, params).theta])}

    def log_prior(self, params):
        return 0.0


def test_foreign_files_and_foreign_parameters_are_refused(tmp_path):
    path = tmp_path / "fit.npz"
    fit(PoissonMixture(), LONDON_START, [LONDON], stop=StopRule(max_iter=2), callbacks=[Checkpoint(path)])
    with pytest.raises(FormatError, match="other parameters") as caught:
        Checkpoint.load(path, like=LONDON_START._replace(rates=np.ones(3)))
    assert caught.value.path == str(path)
    resume = Checkpoint.load(path, like=LONDON_START)
    with pytest.raises(ParameterError, match="not of this model and these data"):
        fit(PoissonMixture(), LONDON_START, [LONDON[:-5]], resume=resume)
    np.savez(tmp_path / "other.npz", x=1)
    (tmp_path / "half.npz").write_bytes(path.read_bytes()[:200])
    (tmp_path / "text.npz").write_text("not at all")
    np.save(tmp_path / "single.npy", np.ones(2))
    for name in ("other.npz", "half.npz", "text.npz", "single.npy"):
        with pytest.raises(FormatError, match="not a checkpoint"):
            Checkpoint.load(tmp_path / name, like=LONDON_START)
    with pytest.raises(FileNotFoundError):
        Checkpoint.load(tmp_path / "none.npz", like=LONDON_START)
