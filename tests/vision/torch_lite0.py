"""EfficientNet-Lite0 in torch, straight from the state dict: what ours is compared with."""

import torch.nn.functional as F  # noqa: N812

# Kernel and stride of the blocks, in order.
BLOCKS = (
    *((3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1)),
    *((5, 1), (5, 1), (5, 1), (5, 2), (5, 1), (5, 1), (5, 1), (3, 1)),
)


def conv_norm(state, x, conv, norm, stride=1):
    """TensorFlow's "same" padding, convolution, batch norm with the stored statistics."""
    w = state[f"{conv}.weight"]
    total = [max((-(-n // stride) - 1) * stride + w.shape[2] - n, 0) for n in x.shape[:1:-1]]
    x = F.pad(x, [n for t in total for n in (t // 2, t - t // 2)])
    x = F.conv2d(x, w, stride=stride, groups=x.shape[1] // w.shape[1])
    mean, variance, gamma, beta = (
        state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=1e-3)


def grids(state, pictures):
    """The grids (B, 320, 7, 7) and (B, 1280, 7, 7)."""
    x = (pictures - 127) / 128
    x = F.relu6(conv_norm(state, x, "_conv_stem", "_bn0", 2))
    for i, (_, stride) in enumerate(BLOCKS):
        name, y = f"_blocks.{i}", x
        if f"{name}._expand_conv.weight" in state:
            y = F.relu6(conv_norm(state, y, f"{name}._expand_conv", f"{name}._bn0"))
        y = F.relu6(conv_norm(state, y, f"{name}._depthwise_conv", f"{name}._bn1", stride))
        y = conv_norm(state, y, f"{name}._project_conv", f"{name}._bn2")
        x = x + y if x.shape == y.shape else y
    return x, F.relu6(conv_norm(state, x, "_conv_head", "_bn1"))


def logits(state, pictures):
    return F.linear(grids(state, pictures)[1].mean((2, 3)), state["_fc.weight"], state["_fc.bias"])
