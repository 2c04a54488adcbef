"""DRAW in plain NumPy, written from the paper: loops over filters, pixels, steps and images."""

import math

import numpy as np


def linear(layer, x):
    return np.asarray(layer.w, np.float64) @ x + np.asarray(layer.b, np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naive_window(parameters, height, width, size):
    """g_Y, g_X, delta, sigma^2 and gamma (equations 21 to 24)."""
    g_x, g_y, log_variance, log_stride, log_gamma = parameters
    return (
        (height + 1) / 2 * (g_y + 1),
        (width + 1) / 2 * (g_x + 1),
        (max(width, height) - 1) / (size - 1) * math.exp(log_stride),
        math.exp(log_variance),
        math.exp(log_gamma),
    )


def naive_filters(centre, stride, variance, size, pixels):
    """F[i, a], each row divided by its sum (equations 19, 20, 25 and 26)."""
    bank = np.zeros((size, pixels))
    for i in range(1, size + 1):
        mu = centre + (i - size / 2 - 0.5) * stride
        for a in range(1, pixels + 1):
            bank[i - 1, a - 1] = math.exp(-((a - mu) ** 2) / (2 * variance))
        bank[i - 1] /= bank[i - 1].sum()
    return bank


def naive_banks(parameters, height, width, size):
    g_y, g_x, stride, variance, gamma = naive_window(parameters, height, width, size)
    rows = naive_filters(g_y, stride, variance, size, height)
    return rows, naive_filters(g_x, stride, variance, size, width), gamma


def naive_read(image, parameters, size):
    """gamma F_Y x F_X^T for every channel (equation 27)."""
    rows, columns, gamma = naive_banks(parameters, *image.shape[:2], size)
    channels = np.moveaxis(image, -1, 0)
    return np.stack([gamma * rows @ channel @ columns.T for channel in channels], axis=-1)


def naive_write(patch, parameters, height, width):
    """1 / gamma F_Y^T w F_X for every channel (equation 29)."""
    rows, columns, gamma = naive_banks(parameters, height, width, len(patch))
    channels = np.moveaxis(patch, -1, 0)
    return np.stack([rows.T @ channel @ columns / gamma for channel in channels], axis=-1)


def naive_step(cell, h, *inputs):
    """A plain RNN."""
    w_ih, w_hh, b = (np.asarray(x, np.float64) for x in (cell.w_ih, cell.w_hh, cell.bias))
    return np.tanh(w_ih @ np.concatenate(inputs) + b + w_hh @ h)


def naive_draw(model, canvas, h):
    """The canvas after what the decoder's state writes."""
    height, width, channels = canvas.shape
    if model.writer is None:
        return canvas + linear(model.patch, h).reshape(canvas.shape)
    patch = linear(model.patch, h).reshape(model.write_size, model.write_size, channels)
    return canvas + naive_write(patch, linear(model.writer, h), height, width)


def naive_bound(model, image, label, noise):
    """c_T, L_x, L_z and ln p(z) - ln q(z | x) of one image (equations 3 to 12)."""
    h_enc, h_dec = (np.asarray(state.h, np.float64)[0] for state in model.states)
    extra = () if model.embedding is None else (np.asarray(model.embedding)[label],)
    canvas = np.asarray(model.bias_canvas, np.float64)
    kl = log_ratio = 0.0
    for epsilon in noise:
        both = np.concatenate([image, image - sigmoid(canvas)], axis=-1)
        if model.reader is not None:
            both = naive_read(both, linear(model.reader, h_dec), model.read_size)
        h_enc = naive_step(model.encoder, h_enc, both.ravel(), h_dec, *extra)
        mean, log_std = np.split(linear(model.posterior, h_enc), 2)
        std = np.exp(log_std)
        z = mean + std * epsilon
        h_dec = naive_step(model.decoder, h_dec, z, *extra)
        canvas = naive_draw(model, canvas, h_dec)
        kl += 0.5 * np.sum(mean**2 + std**2 - np.log(std**2)) - len(z) / 2
        log_ratio += np.sum(log_normal(z, 0, 1) - log_normal(z, mean, std))
    p = sigmoid(canvas)
    return canvas, -np.sum(np.log(np.where(image == 1, p, 1 - p))), kl, log_ratio


def naive_drawing(model, label, latent):
    """The probabilities of the pixels after every step."""
    h = np.asarray(model.states[1].h, np.float64)[0]
    extra = () if model.embedding is None else (np.asarray(model.embedding)[label],)
    canvas, canvases = np.asarray(model.bias_canvas, np.float64), []
    for z in latent:
        h = naive_step(model.decoder, h, z, *extra)
        canvas = naive_draw(model, canvas, h)
        canvases.append(sigmoid(canvas))
    return np.stack(canvases)


def log_normal(z, mean, std):
    return -0.5 * ((z - mean) / std) ** 2 - np.log(std) - 0.5 * math.log(2 * math.pi)
