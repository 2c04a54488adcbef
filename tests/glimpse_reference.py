"""The glimpse network in plain NumPy: the sensor by cutting and averaging, then the equations."""

import numpy as np

FINE = 8  # parts per side that an image's pixels are cut into


def naive_glimpse(image, location, patch, scales):
    """Squares around a place whose borders fall on eighths of pixels, (S, P, P, C)."""
    height, width, channels = image.shape
    room = patch * 2**scales  # zeros around the image
    padded = np.pad(image, ((room, room), (room, room), (0, 0)))
    fine = padded.repeat(FINE, axis=0).repeat(FINE, axis=1)
    middle = (np.asarray(location) + 1) / 2 * (height, width) + room
    seen = []
    for scale in range(scales):
        cell = 2**scale * FINE
        y, x = np.round(middle * FINE - patch * cell / 2).astype(int)
        square = fine[y : y + patch * cell, x : x + patch * cell]
        seen.append(square.reshape(patch, cell, patch, cell, channels).mean(axis=(1, 3)))
    return np.stack(seen)


def relu(x):
    return np.maximum(x, 0)


def linear(layer, x):
    return x @ np.asarray(layer.w).T + np.asarray(layer.b)


def next_state(model, h, seen, location):
    """h_t of a plain RNN from h_{t-1}, what was seen (N, S, P, P, C) and where (N, 2)."""
    what = relu(linear(model.what, seen.reshape(len(seen), -1)))
    where = relu(linear(model.where, location))
    g = relu(linear(model.from_what, what) + where @ np.asarray(model.from_where).T)
    w_ih, w_hh, bias = (np.asarray(w) for w in (model.core.w_ih, model.core.w_hh, model.core.bias))
    return np.tanh(g @ w_ih.T + bias + h @ w_hh.T)
