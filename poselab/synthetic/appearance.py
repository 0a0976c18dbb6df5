"""Skin, hair and clothes of people, sampled once for both sides of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from poselab.structures import Floats

Colour = tuple[float, float, float]  # blue, green, red

_SKIN = np.array([[205, 224, 250], [160, 190, 232], [110, 150, 205], [66, 98, 152], [38, 56, 92]])
_HAIR = np.array([[22, 24, 30], [38, 58, 88], [50, 92, 150], [120, 190, 225], [165, 168, 172]])


class Appearance(NamedTuple):
    """Colours and clothes of one person.

    sleeve and trousers are the covered share of a limb, 0 to 1; skirt the covered share of the
    thigh (0: none); hair 0 bald, 1 short, 2 long, 3 tied; hat 0 none, 1 cap, 2 beanie;
    patterns (upper, lower) say how strongly the image's cloth pattern shows; stripes across the
    chest.
    """

    skin: Colour
    hair_colour: Colour
    upper: Colour
    lower: Colour
    shoes: Colour
    trim: Colour
    sleeve: float
    trousers: float
    skirt: float
    tucked: bool
    loose: float
    hair: int
    hat: int
    neckline: int
    stripes: int
    patterns: tuple[int, int]


def cloth_colour(rng: np.random.Generator) -> Colour:
    """Sample a colour of cloth: greys, pastels and strong hues alike."""
    hue, saturation, value, dull = rng.random(4).tolist()
    saturation *= 0.15 if dull < 0.3 else 0.85
    value = 255.0 * (0.15 + 0.82 * value)
    blue, green, red = (
        value
        * (1.0 - saturation * (1.0 - min(max(abs((6.0 * hue + at) % 6.0 - 3.0) - 1.0, 0.0), 1.0)))
        for at in (2.0, 4.0, 0.0)
    )
    return blue, green, red


def skin_colour(rng: np.random.Generator) -> Colour:
    """Sample a skin colour from pale to dark."""
    return _blend(_SKIN, rng, 6.0)


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Sample one person's appearance."""
    upper, lower = cloth_colour(rng), cloth_colour(rng)
    skirt = float(rng.uniform(0.4, 0.85)) if rng.random() < 0.16 else 0.0
    if skirt and rng.random() < 0.5:
        lower = upper
    skin = skin_colour(rng)
    bare_legs = skirt > 0 and rng.random() < 0.6
    return Appearance(
        skin=skin,
        hair_colour=_blend(_HAIR, rng, 8.0),
        upper=upper,
        lower=lower,
        shoes=skin if rng.random() < 0.06 else cloth_colour(rng),
        trim=cloth_colour(rng),
        sleeve=(0.0, 0.3, 0.42, 1.0)[_pick(rng, (1, 3, 2, 5))],
        trousers=0.0 if bare_legs else (0.3, 0.47, 0.75, 1.0)[_pick(rng, (1, 2, 0.7, 6))],
        skirt=skirt,
        tucked=bool(rng.random() < 0.4),
        loose=float(rng.uniform(1.08, 1.38)),
        hair=_pick(rng, (1, 6, 3, 1.6)),
        hat=_pick(rng, (7, 1.2, 0.8)),
        neckline=_pick(rng, (3, 3, 2, 2)),
        stripes=int(rng.integers(2, 6)) if rng.random() < 0.22 else 0,
        patterns=(_pattern(rng, 0.45), _pattern(rng, 0.3)),
    )


def shade(colour: Colour, gain: float) -> Colour:
    """A colour made brighter or darker by a factor, at most 255."""
    return (
        min(colour[0] * gain, 255.0),
        min(colour[1] * gain, 255.0),
        min(colour[2] * gain, 255.0),
    )


def _pattern(rng: np.random.Generator, probability: float) -> int:
    """Strength of a pattern in 32nds, negative for its opposite, 0 for plain cloth."""
    return int(rng.choice((-18, -10, 10, 18))) if rng.random() < probability else 0


def _pick(rng: np.random.Generator, shares: tuple[float, ...]) -> int:
    """A random position, with probabilities proportional to the shares."""
    left = rng.random() * sum(shares)
    for position, share in enumerate(shares):
        left -= share
        if left < 0:
            return position
    return len(shares) - 1


def _blend(colours: Floats, rng: np.random.Generator, spread: float) -> Colour:
    """A random colour between two neighbours of a list (N, 3), with a little noise."""
    place = rng.random() * (len(colours) - 1)
    low = int(place)
    mixed = colours[low] + (colours[low + 1] - colours[low]) * (place - low)
    blue, green, red = np.clip(mixed + rng.normal(0.0, spread, 3), 8.0, 250.0).tolist()
    return blue, green, red
