"""Options that describe a model, and the estimator they make."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from seqem.catalog import DISTRIBUTIONS, ESTIMATORS, METHODS, MODELS
from seqem.cli.options import Seed, listed, one_of

_FAMILIES = [name for name in DISTRIBUTIONS if name not in ("mixture", "shared-mixture", "independent", "tied")]
_FLAGS = {
    "n_components": "--states",
    "n_factors": "--factors",
    "left": "--left",
    "right": "--right",
    "n_mix": "--mixtures",
    "covariance_type": "--covariance",
    "emission": "--emission",
    "topology": "--topology",
    "ends": "--ends",
    "stationary": "--stationary",
    "training": "--training",
    "method": "--method",
    "duration": "--duration",
    "max_duration": "--max-duration",
    "n_init": "--n-init",
    "random_state": "--seed",
}
_COVARIANCES = ("spherical", "diag", "full", "tied")
_LETTERED = re.compile("[EVI]{3}")
_TOPOLOGIES = ("ergodic", "left-right", "bakis", "cyclic")
_TRAININGS = ("posterior", "viterbi", "classification", "stochastic")
_ITERATIONS, _TOLERANCE = 100, 1e-4
_DURATIONS = ("negative-binomial", "poisson", "free")


def _families(value: str | None) -> str | None:
    for name in listed(value) or ():
        one_of(_FAMILIES)(name)
    return value


def _covariance(value: str | None) -> str | None:
    return value if value is not None and _LETTERED.fullmatch(value) else one_of(_COVARIANCES)(value)


@dataclass(frozen=True)
class Recipe:
    """What kind of model, and how it is fitted; None is the model's own default."""

    emission: Annotated[
        str | None,
        typer.Option(
            "--emission",
            metavar="NAME[,NAME...]",
            callback=_families,
            help=f"Emission of hmm, components of mixture, or one for each column: {', '.join(_FAMILIES)}.",
        ),
    ] = None
    n_mix: Annotated[
        int | None, typer.Option("--mixtures", "-m", min=1, metavar="M", help="Components in each state.")
    ] = None
    covariance_type: Annotated[
        str | None,
        typer.Option(
            "--covariance",
            metavar="SHAPE",
            callback=_covariance,
            help=f"{', '.join(_COVARIANCES)}; of gaussian-mixture mclust's too, such as VVE.",
        ),
    ] = None
    topology: Annotated[
        str | None,
        typer.Option("--topology", metavar="NAME", callback=one_of(_TOPOLOGIES), help=f"{', '.join(_TOPOLOGIES)}."),
    ] = None
    ends: Annotated[bool, typer.Option("--ends", help="Learn the probability to end after each state.")] = False
    stationary: Annotated[bool, typer.Option("--stationary", help="Start in the stationary distribution.")] = False
    training: Annotated[
        str | None,
        typer.Option(
            "--training",
            metavar="NAME",
            callback=one_of(_TRAININGS),
            help="posterior (EM), viterbi of HMMs, classification or stochastic of mixtures.",
        ),
    ] = None
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="NAME", callback=one_of(METHODS), help=f"{', '.join(METHODS)}."),
    ] = None
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration", metavar="NAME", callback=one_of(_DURATIONS), help=f"Stay in a state: {', '.join(_DURATIONS)}."
        ),
    ] = None
    max_duration: Annotated[
        int | None, typer.Option("--max-duration", min=1, metavar="ROWS", help="Longest stay in a state.")
    ] = None
    n_factors: Annotated[
        int | None, typer.Option("--factors", "-q", min=1, metavar="Q", help="Factors of a factor model.")
    ] = None
    left: Annotated[float | None, typer.Option("--left", metavar="X", help="Limit of tobit below; 0 by default.")] = (
        None
    )
    right: Annotated[float | None, typer.Option("--right", metavar="X", help="Limit of tobit above.")] = None
    n_init: Annotated[int, typer.Option("--n-init", min=1, metavar="N", help="Random starts; the best is kept.")] = 1
    n_iter: Annotated[
        int | None, typer.Option("--iterations", min=0, metavar="N", help="Most EM steps; 100 of an HMM by default.")
    ] = None
    tol: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0,
            metavar="X",
            help="Gain of the objective that is too small to go on: 1e-4 of an HMM by default; of other models a share.",
        ),
    ] = None
    random_state: Seed = 0

    def build(self, model: str, n_components: int | None = None) -> Any:
        """Return the estimator, not fitted; BadParameter for an option that the model does not have, or one that it wants."""
        kind = {**ESTIMATORS, **MODELS}[model].load()
        accepted = inspect.signature(kind).parameters
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given |= {"n_components": n_components}
        given = {name: value for name, value in given.items() if value is not None and value is not False}
        if model in ESTIMATORS:
            given = {"n_iter": _ITERATIONS, "tol": _TOLERANCE, **given}
        elif "n_iter" in given:
            given["max_iter"] = given.pop("n_iter")
        for name in ("n_init", "random_state"):  # always given, with defaults that suit models without
            if name not in accepted and given[name] == getattr(type(self), name):
                del given[name]
        if "distribution" in accepted:
            given["distribution"] = self._distribution(model, given)
        unknown = [_FLAGS[name] for name in given if name not in accepted]
        if unknown:
            raise typer.BadParameter(f"{model} has no {', '.join(unknown)}")
        lacking = [_FLAGS[name] for name in ("n_components", "n_factors") if name in accepted and name not in given]
        if lacking:
            raise typer.BadParameter(f"{model} wants {', '.join(lacking)}")
        return kind(**given)

    def _distribution(self, model: str, given: dict[str, Any]) -> Any:
        """Return the emission, and take its options out of those given."""
        if self.emission is None:
            raise typer.BadParameter(f"{model} wants --emission: one of {', '.join(_FAMILIES)}")
        covariance, n_mix = given.pop("covariance_type", None), given.pop("n_mix", None)
        parts = [_family(name, covariance) for name in listed(given.pop("emission")) or ()]
        whole = parts[0]
        if len(parts) > 1:
            whole = DISTRIBUTIONS["independent"].load()([(part, column) for column, part in enumerate(parts)])
        return whole if n_mix is None else DISTRIBUTIONS["mixture"].load()(whole, n_mix)


def _family(name: str, covariance: str | None) -> Any:
    kind = DISTRIBUTIONS[name].load()
    if covariance is None:
        return kind()
    if "covariance_type" not in inspect.signature(kind).parameters:
        raise typer.BadParameter(f"{name} has no --covariance")
    return kind(covariance_type=covariance)
