"""Frame rates as files state them."""

from __future__ import annotations

from fractions import Fraction


def frame_rate(fps: float) -> Fraction:
    """Frames per second as a fraction that files can hold; 29.97 becomes 30000/1001."""
    whole = round(fps * 1.001)  # television's rates are whole ones slowed down by a thousandth
    if whole and 0 < abs(fps - round(fps)) and abs(fps - whole / 1.001) < 0.005:
        return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1001)
