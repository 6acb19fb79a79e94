import io

import numpy as np
import pytest

from seqem.plot.domains import domains
from seqem.plot.logo import NUCLEOTIDE_COLOURS, PROTEIN_COLOURS, letter_stacks, logo

RNG = np.random.default_rng(0)
PROTEIN = "ACDEFGHIKLMNPQRSTVWY"


def boxes(ax):
    return [path.get_extents() for path in ax.collections[0].get_paths()]


def test_letters_stack_from_small_to_tall_within_their_column():
    ax = letter_stacks([[0.5, 1.5, 0.0, 0.25]], "ACGT", first=7)
    ends = [(box.y0, box.y1) for box in boxes(ax)]
    np.testing.assert_allclose(ends, [(0, 0.25), (0.25, 0.75), (0.75, 2.25)], atol=1e-9)
    assert all(6.5 <= box.x0 < box.x1 <= 7.5 for box in boxes(ax))
    np.testing.assert_allclose(ax.get_ylim(), (0, 2.25))


def test_negative_heights_hang():
    ends = [(box.y0, box.y1) for box in boxes(letter_stacks([[-0.5, 1.0, -2.0, 0.0]], "ACGT"))]
    np.testing.assert_allclose(ends, [(-0.5, 0), (0, 1), (-2.5, -0.5)], atol=1e-9)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_long_models_wrap_with_their_tracks(kind):
    heights = RNG.dirichlet(np.ones(20) / 5, 130)
    axes = logo(heights, PROTEIN, {"occupancy": RNG.random(130), "inserts": np.zeros(130)}, columns_per_row=50)
    assert len(axes) == 3
    assert len(axes[0].figure.axes) == 9
    assert [ax.get_xlim() for ax in axes] == [(0.5, 50.5), (50.5, 100.5), (100.5, 150.5)]
    assert len({ax.get_ylim() for ax in axes}) == 1
    out = io.BytesIO()
    axes[0].figure.savefig(out, format=kind, dpi=30)
    assert out.getvalue()


def test_every_letter_has_a_colour():
    assert set(PROTEIN_COLOURS) == set(PROTEIN)
    assert set(NUCLEOTIDE_COLOURS) == set("ACGTU")
    assert len(letter_stacks([[1.0]], "A", {"A": "red"}).collections[0].get_facecolors()) == 1


def test_a_flat_logo_is_drawn():
    assert not boxes(letter_stacks(np.zeros((3, 4)), "ACGT"))


@pytest.mark.parametrize(
    ("heights", "options", "message"),
    [
        (np.ones((2, 3)), {}, "expected \\(M, 4\\)"),
        (np.full((2, 4), -np.inf), {}, "not finite"),
        (np.ones((2, 4)), {"tracks": {"a": [1.0]}}, "track 'a'"),
        (np.ones((2, 4)), {"columns_per_row": 0}, "columns_per_row"),
    ],
)
def test_wrong_input_is_refused(heights, options, message):
    with pytest.raises(ValueError, match=message):
        logo(heights, "ACGT", **options)


def test_domains_have_one_colour_a_model_and_their_places():
    ax = domains([300, 200], [[(10, 90), (120, 290)], [(5, 80)]], [["fn3", "Pkinase"], ["fn3"]], names=["a", "b"])
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in ax.patches]
    assert bars == [(10, 81, 0), (5, 76, 1), (120, 171, 0)]
    first, second, third = (bar.get_facecolor() for bar in ax.patches)
    assert first == second != third
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]


def test_domains_of_nothing_and_of_unequal_lists():
    assert domains([100], [[]], [[]]).get_legend() is None
    with pytest.raises(ValueError, match="2 spans"):
        domains([100], [[], []], [[]])
