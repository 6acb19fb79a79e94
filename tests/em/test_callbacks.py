"""What callbacks are told, and what they show."""

import io
import logging

import numpy as np
import pytest
from rich.console import Console

from seqem.em.accelerate import squarem
from seqem.em.callbacks import LogProgress, ProgressBar
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from tests.em.models import LINKAGE, LONDON, LONDON_START, Linkage, PoissonMixture, Recombination

HALF = Recombination(0.5)


def run(*callbacks, **options):
    return fit(Linkage(), HALF, [LINKAGE], stop=StopRule(max_iter=4), callbacks=callbacks, **options)


def test_stages_come_in_order_with_points_that_belong_together():
    events = []
    result = run(events.append)
    assert [event.stage for event in events] == ["start", *["step"] * 4, "end"]
    assert [event.result for event in events] == [*[None] * 5, result]
    for event in events:
        assert event.point.log_likelihood == event.model.e_step(event.point.params, LINKAGE).log_likelihood
    assert events[-1].iteration == 4
    assert events[-1].gain == result.history[-1].objective - result.history[-2].objective


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_end_is_told_to_all_when_a_fit_is_broken_off(error):
    stages = []

    def breaks(event):
        if event.iteration == 2 and event.stage == "step":
            raise error

    with pytest.raises(error):
        run(lambda event: stages.append((event.stage, event.result)), breaks)
    assert stages == [("start", None), ("step", None), ("step", None), ("end", None)]


def test_log_lines(caplog):
    with caplog.at_level(logging.INFO, logger="seqem"):
        run(LogProgress(every=2))
    lines = [record.message for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == [
        "iteration 0 (start)",
        "iteration 2 (em)",
        "iteration 4 (em)",
        "max_iter after 4 iterations",
    ]
    assert "objective -205.71" in lines[-2]


def test_a_broken_off_fit_logs_no_end(caplog):
    def breaks(event):
        raise RuntimeError

    with caplog.at_level(logging.INFO, logger="seqem"), pytest.raises(RuntimeError):
        run(LogProgress(), breaks)
    assert len(caplog.records) == 1


def test_the_bar_draws_on_a_forced_console_and_wipes_itself():
    stream = io.StringIO()
    bar = ProgressBar(Console(file=stream, force_terminal=True, width=120))
    fit(PoissonMixture(), LONDON_START, [LONDON], stop=StopRule(max_iter=30), callbacks=[bar], accelerate=squarem)
    text = stream.getvalue()
    assert "objective -1989.9" in text
    assert "gain" in text
    assert "/30" in text
    assert text.endswith(("\x1b[2K", "\x1b[?25h")), "the cursor is back and the line is gone"


def test_the_bar_is_silent_where_there_is_no_terminal(capsys):
    stream = io.StringIO()
    run(ProgressBar(Console(file=stream)), ProgressBar())
    assert stream.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_the_bar_ends_with_an_interrupted_fit():
    stream = io.StringIO()
    bar = ProgressBar(Console(file=stream, force_terminal=True, width=120))

    def interrupt(event):
        if event.iteration == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bar, interrupt)
    assert "\x1b[?25h" in stream.getvalue()
    assert np.isfinite(run(bar).objective), "a bar serves again"
