"""Limits for counts of random outcomes: how many events a correct programme shows, at a stated false-alarm rate."""

from scipy.stats import binom

FALSE_ALARM = 1e-4
"""Probability that correct code leaves one band, had the seeds not been fixed; some forty bands in this folder."""


def most_events(trials, probability, rate=FALSE_ALARM):
    """The largest count that passes where events have at most this probability."""
    return int(binom.isf(rate, trials, probability))


def band(trials, probability, rate=FALSE_ALARM):
    """The counts between which events of exactly this probability stay."""
    return int(binom.ppf(rate / 2, trials, probability)), int(binom.isf(rate / 2, trials, probability))


def within_band(events, trials, probability):
    low, high = band(trials, probability)
    return low <= events <= high
