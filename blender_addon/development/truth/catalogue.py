"""Which part of which photograph can be what; test and training photographs are apart."""

from __future__ import annotations

from .textures import Box

Crops = dict[str, tuple[tuple[str, Box], ...]]  # role -> (photograph, part)

TEST_CROPS: Crops = {
    "alpine sky": (("picosdeeuropa", (0.0, 0.0, 1.0, 0.13)),),
    "sunset": (("EveningGlow", (0.0, 0.0, 1.0, 0.33)),),
    "dusk": (("summer_1am", (0.0, 0.0, 1.0, 0.6)),),
    "storm": (("Storm", (0.0, 0.0, 1.0, 0.45)),),
    "grey sky": (("Valendas", (0.0, 0.0, 1.0, 0.42)),),
    "haze": (("fog", (0.0, 0.0, 1.0, 0.3)),),
    "clear sky": (("Dune", (0.0, 0.0, 0.4, 0.12)),),
    "peak": (("picosdeeuropa", (0.45, 0.27, 0.95, 0.55)),),
    "rock": (("life", (0.02, 0.3, 0.36, 0.95)), ("life", (0.55, 0.35, 0.85, 0.95))),
    "grass": (("picosdeeuropa", (0.55, 0.7, 1.0, 1.0)),),
    "soil": (("picosdeeuropa", (0.18, 0.68, 0.4, 1.0)),),
    "pebbles": (("EveningGlow", (0.4, 0.75, 1.0, 1.0)),),
    "moss": (("Path", (0.45, 0.6, 1.0, 1.0)),),
    "field": (("fog", (0.0, 0.72, 1.0, 0.95)),),
    "forest": (("Path", (0.0, 0.0, 1.0, 0.5)),),
    "leaves": (("life", (0.35, 0.0, 0.85, 0.2)), ("cv-building", (0.0, 0.7, 0.28, 0.84))),
    "straw": (("Dune", (0.0, 0.6, 1.0, 1.0)),),
    "flower": (("Garden", (0.4, 0.45, 0.95, 0.95)),),
    "wood": (("Wood", (0.0, 0.35, 1.0, 1.0)),),
    "siding": (("friends", (0.6, 0.0, 1.0, 0.8)),),
    "facade": (("cv-building", (0.3, 0.3, 1.0, 0.62)),),
    "stream": (("life", (0.41, 0.5, 0.53, 0.95)),),
    "blue water": (("Aqua", (0.3, 0.0, 1.0, 0.45)),),
    "sea": (("Dune", (0.3, 0.28, 1.0, 0.42)),),
    "golden water": (("EveningGlow", (0.15, 0.39, 0.85, 0.46)),),
    "violet water": (("summer_1am", (0.0, 0.68, 0.6, 1.0)),),
    "smoke": (("fog", (0.0, 0.4, 0.5, 0.6)),),
}

TRAIN_CROPS: Crops = {
    "sky": (
        ("this-is-not-windows", (0.0, 0.0, 1.0, 0.6)),
        ("cloud", (0.0, 0.0, 1.0, 1.0)),
        ("after-the-rain", (0.0, 0.0, 1.0, 0.72)),
        ("beam", (0.0, 0.0, 1.0, 0.5)),
        ("Kite", (0.0, 0.25, 0.5, 1.0)),
        ("sunset", (0.0, 0.0, 1.0, 0.45)),
        ("aitzgorri", (0.0, 0.0, 1.0, 0.13)),
        ("Bridge", (0.0, 0.0, 0.4, 0.6)),
        ("ColdRipple", (0.0, 0.0, 1.0, 0.45)),
    ),
    "rock": (
        ("aitzgorri", (0.2, 0.16, 0.9, 0.33)),
        ("sunset", (0.2, 0.62, 0.8, 0.95)),
        ("cv-street4", (0.0, 0.8, 1.0, 1.0)),
        ("FigBowl", (0.0, 0.4, 0.17, 1.0)),
        ("cv-leuvenA", (0.05, 0.25, 0.2, 0.6)),
        ("cv-squirrel", (0.55, 0.6, 1.0, 1.0)),
    ),
    "ground": (
        ("aitzgorri", (0.0, 0.65, 1.0, 1.0)),
        ("GreenMeadow", (0.0, 0.2, 1.0, 1.0)),
        ("FallenLeaf", (0.0, 0.62, 1.0, 1.0)),
        ("OneStandsOut", (0.0, 0.0, 1.0, 1.0)),
        ("seeding", (0.2, 0.6, 1.0, 1.0)),
        ("cv-leuvenA", (0.15, 0.78, 0.8, 1.0)),
        ("cv-street5", (0.0, 0.6, 0.45, 1.0)),
    ),
    "leaves": (
        ("Dragonfly", (0.2, 0.2, 1.0, 1.0)),
        ("RainDrops", (0.0, 0.0, 1.0, 1.0)),
        ("aitzgorri", (0.0, 0.45, 0.6, 0.6)),
        ("flowers", (0.0, 0.3, 1.0, 1.0)),
        ("cv-plant", (0.25, 0.1, 0.8, 0.6)),
        ("LadyBird", (0.0, 0.0, 1.0, 1.0)),
        ("YellowFlower", (0.3, 0.2, 1.0, 1.0)),
    ),
    "forest": (
        ("aitzgorri", (0.0, 0.42, 0.6, 0.6)),
        ("OneStandsOut", (0.0, 0.0, 1.0, 1.0)),
        ("Dragonfly", (0.3, 0.3, 1.0, 1.0)),
    ),
    "wood": (
        ("BytheWater", (0.0, 0.5, 1.0, 1.0)),
        ("ColdRipple", (0.35, 0.65, 0.65, 1.0)),
        ("Wine", (0.3, 0.62, 0.75, 0.75)),
    ),
    "wall": (
        ("cv-leuvenB", (0.0, 0.15, 0.3, 0.65)),
        ("cv-street6", (0.45, 0.15, 1.0, 0.65)),
        ("cv-home", (0.4, 0.45, 1.0, 1.0)),
        ("cv-street4", (0.1, 0.35, 0.7, 0.6)),
        ("Wine", (0.25, 0.0, 0.75, 0.18)),
        ("cv-street3", (0.0, 0.1, 1.0, 0.5)),
    ),
    "water": (
        ("BytheWater", (0.0, 0.16, 1.0, 0.36)),
        ("DarkestHour", (0.0, 0.55, 1.0, 1.0)),
        ("ColdRipple", (0.0, 0.3, 1.0, 0.5)),
        ("after-the-rain", (0.0, 0.2, 1.0, 0.6)),
        ("cloud", (0.0, 0.3, 1.0, 1.0)),
        ("Kite", (0.0, 0.2, 0.5, 1.0)),
    ),
    "white water": (
        ("Kite", (0.0, 0.4, 0.09, 0.95)),
        ("cloud", (0.0, 0.3, 1.0, 1.0)),
        ("ColdRipple", (0.0, 0.3, 1.0, 1.0)),
        ("this-is-not-windows", (0.5, 0.4, 1.0, 0.55)),
    ),
    "smoke": (
        ("cloud", (0.0, 0.2, 1.0, 1.0)),
        ("ColdRipple", (0.0, 0.0, 1.0, 0.6)),
        ("beam", (0.2, 0.0, 1.0, 0.45)),
    ),
}
