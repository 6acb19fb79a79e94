import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save

from seqem.errors import FormatError, ParameterError
from seqem.io.archive import LAYOUT, load_model, save_model

CONFIG = {
    "n": 3,
    "tol": 0.1 + 0.2,
    "big": 1e308,
    "no": None,
    "on": True,
    "names": ["a", "é"],
    "nested": {"x": [1, [2]]},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@settings(max_examples=50)
@given(
    array=hnp.arrays(
        st.sampled_from(["f8", ">f8", "f4", "i8", "i4", "u1", "?"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_arrays_come_back_bit_for_bit(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("archive") / "m"
    save_model(path, "k", {}, {"a": array})
    again = load_model(path).arrays["a"]
    native = array.astype(array.dtype.newbyteorder("="))
    assert (again.dtype, again.shape, again.tobytes()) == (native.dtype, native.shape, native.tobytes())
    assert again.flags.writeable
    assert again.flags.c_contiguous


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[:, ::2], np.asfortranarray], ids=["T", "step", "F"])
def test_arrays_in_other_orders(path, view):
    array = view(np.arange(12.0).reshape(3, 4))
    save_model(path, "k", {}, {"a": array})
    np.testing.assert_array_equal(load_model(path).arrays["a"], array)


def test_kind_and_config_come_back(path):
    save_model(path, "gaussian-hmm", CONFIG, {})
    kind, config, arrays = load_model(path)
    assert (kind, config, arrays) == ("gaussian-hmm", CONFIG, {})


def test_config_of_numpy_scalars(path):
    save_model(path, "k", {"n": np.int64(3), "x": np.float64(0.1), "b": np.bool_(True)}, {})
    assert load_model(path).config == {"n": 3, "x": 0.1, "b": True}


def test_file_describes_itself(path):
    save_model(path, "k", CONFIG, {"a": np.zeros(2)})
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert header["seqem.format"] == LAYOUT == "1"
    assert header["kind"] == "k"
    assert json.loads(header["config"]) == CONFIG
    assert header["version"]


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.array([1j])])
def test_array_that_cannot_be_saved(path, array):
    with pytest.raises(ParameterError, match="array 'a' cannot be saved"):
        save_model(path, "k", {}, {"a": array})
    assert not path.exists()


@pytest.mark.parametrize("value", [object(), {1, 2}, np.zeros(2)])
def test_config_that_cannot_be_saved(path, value):
    with pytest.raises(ParameterError, match="settings of the model cannot be saved"):
        save_model(path, "k", {"x": value}, {})


def test_every_cut_is_noticed(path):
    save_model(path, "k", {}, {"a": np.arange(3.0)})
    data = path.read_bytes()
    for kept in range(len(data)):
        path.write_bytes(data[:kept])
        with pytest.raises(FormatError, match="no model archive, or a damaged one") as caught:
            load_model(path)
        assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GIF89a and then some", "no model archive"),
        (save({"a": np.zeros(2)}), "no model of seqem"),
        (save({}, {"seqem.format": "2", "version": "9.0"}), r"unknown layout .* got 2.*seqem 9\.0; update seqem"),
        (save({}, {"seqem.format": "1", "kind": "k"}), "header of the model archive is damaged"),
        (save({}, {"seqem.format": "1", "kind": "k", "config": "{"}), "header of the model archive is damaged"),
    ],
    ids=["gif", "no metadata", "newer", "no config", "bad config"],
)
def test_foreign_files(path, data, message):
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        load_model(path)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(FormatError, match="cannot be opened"):
            load_model(path)
