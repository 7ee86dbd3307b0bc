"""Gaussian mixtures of colours, fitted by expectation maximisation, the same at every run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
ITERATIONS = 10
RIDGE = 1e-2  # added to variances of colours whose own is 1: some 6 grey levels of 8 bits, squared
OUTLIERS = 0.05  # share of colours that a side has and its samples do not show
SAMPLES = 1 << 14  # fitted to at most
ROWS = 1 << 14  # of colours looked at together
SUPPORT = 4  # samples a component needs at least, for every channel


@dataclass(frozen=True)
class Mixture:
    """A weighted sum of normal densities."""

    constants: Floats  # (K,) log of weight over normalisation
    means: Floats  # (K, C)
    whitening: Floats  # (K, C, C): W (x - mean) has the unit covariance

    def log_parts(self, colours: Floats) -> Floats:
        """Return the log of every component's part of the density at colours (N, C), (K, N)."""
        components, channels = self.means.shape
        # One product for all components, in the precision of the colours.
        stacked = self.whitening.reshape(-1, channels).astype(colours.dtype)
        centres = np.einsum("kij,kj->ki", self.whitening, self.means).reshape(-1, 1)
        white = stacked @ colours.T
        white -= centres.astype(colours.dtype)
        white *= white
        squared = white.reshape(components, channels, -1).sum(axis=1)
        parts: Floats = self.constants.astype(colours.dtype)[:, None] - 0.5 * squared
        return parts


def blended(one: Mixture, other: Mixture) -> Mixture:
    """Return the mixture that is half the one and half the other."""
    constants = np.concatenate([one.constants, other.constants]) - np.log(2)
    means, whitening = (
        np.concatenate(pair)
        for pair in ((one.means, other.means), (one.whitening, other.whitening))
    )
    return Mixture(constants, means, whitening)


def posterior(one: Mixture, other: Mixture, colours: Floats) -> NDArray[np.float32]:
    """Return how likely colours (N, C) are of ``one``, both being as likely beforehand, (N,).

    Either has some colours that are spread evenly over the range of all. So a colour that neither
    explains is as likely of the one as of the other.
    """
    extent = colours.max(axis=0) - colours.min(axis=0) + np.sqrt(RIDGE)
    anywhere = np.log(OUTLIERS / (1 - OUTLIERS)) - np.log(extent.astype(np.float64)).sum()
    found = np.empty(len(colours), dtype=np.float32)
    for first in range(0, len(colours), ROWS):
        rows = slice(first, first + ROWS)
        mine, others = (
            np.logaddexp(_log_sum(side.log_parts(colours[rows])), anywhere) for side in (one, other)
        )
        found[rows] = 1 / (1 + np.exp(others - mine))
    return found


def fit_mixture(colours: Floats, components: int) -> Mixture:
    """Fit a mixture to colours (N, C), N > 0, of at most ``components`` normal densities.

    It starts from clusters that are split in two where they are longest, along their principal
    axis, as Orchard and Bouman's; EM follows.
    """
    step = -(-len(colours) // SAMPLES)
    samples = colours[::step].astype(np.float64)
    least = SUPPORT * samples.shape[1]
    shares = _clusters(samples, components, least)
    mixture = _maximised(samples, shares)
    for _ in range(ITERATIONS if len(shares) > 1 else 0):
        parts = mixture.log_parts(samples)
        shares = np.exp(parts - _log_sum(parts))
        kept = shares.sum(axis=1) >= least / 2
        if not kept.all():
            shares = shares[kept] if kept.any() else np.ones((1, len(samples)))
        mixture = _maximised(samples, shares)
    return mixture


def _clusters(samples: NDArray[np.float64], components: int, least: int) -> NDArray[np.float64]:
    """Return who belongs where, (K, N) of 0 and 1."""
    members = [np.arange(len(samples))]
    while len(members) < components:
        spreads = [_spread(samples[chosen]) for chosen in members]
        longest = int(np.argmax([length for length, _ in spreads]))
        chosen, (length, axis) = members[longest], spreads[longest]
        along = (samples[chosen] - samples[chosen].mean(axis=0)) @ axis
        halves = chosen[along <= 0], chosen[along > 0]
        if length <= 0 or min(map(len, halves)) < least:
            break
        members[longest : longest + 1] = halves
    shares = np.zeros((len(members), len(samples)))
    for share, chosen in zip(shares, members, strict=True):
        share[chosen] = 1
    return shares


def _spread(samples: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the squared deviations along the principal axis, added up, and the axis."""
    centred = samples - samples.mean(axis=0)
    lengths, axes = np.linalg.eigh(centred.T @ centred)
    axis = axes[:, -1]
    return float(lengths[-1]), axis * np.sign(axis[np.argmax(np.abs(axis))])


def _maximised(samples: NDArray[np.float64], shares: NDArray[np.float64]) -> Mixture:
    """Return the mixture that is most likely for the given shares of the samples, (K, N)."""
    channels = samples.shape[1]
    weights = shares.sum(axis=1)
    means = shares @ samples / weights[:, None]
    whitening = np.empty((len(shares), channels, channels))
    constants = np.log(weights / weights.sum()) - 0.5 * channels * np.log(2 * np.pi)
    for k, (share, mean) in enumerate(zip(shares, means, strict=True)):
        centred = samples - mean
        covariance = (share * centred.T) @ centred / weights[k] + RIDGE * np.eye(channels)
        lower = np.linalg.cholesky(covariance)
        whitening[k] = np.linalg.inv(lower)
        constants[k] -= np.log(np.diag(lower)).sum()
    return Mixture(constants, means, whitening)


def _log_sum(parts: Floats) -> Floats:
    """Return log(sum(exp(parts))) over the first axis."""
    peak = parts.max(axis=0)
    total: Floats = peak + np.log(np.exp(parts - peak).sum(axis=0))
    return total
