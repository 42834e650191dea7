"""Colours and materials that one home is made of: a few woods, cloths and paints, drawn once and used again."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

from depthnet.data.synthetic.textures import (
    BOARDS,
    BRICK,
    DOTS,
    FABRIC,
    MARBLE,
    OUTDOORS,
    PICTURE,
    PLAID,
    PLAIN,
    SPECKLE,
    STRIPES,
    TILES,
    WOOD,
    Colour,
    Material,
)

#: How many different woods, cloths and so on a room has at most.
_KEPT = {
    "wood": 3,
    "cloth": 4,
    "paint": 3,
    "metal": 2,
    "plastic": 4,
    "ceramic": 2,
    "stone": 1,
    "book": 14,
    "picture": 6,
}
_WOODS = ((0.045, 0.55), (0.06, 0.6), (0.07, 0.5), (0.08, 0.45), (0.03, 0.65), (0.09, 0.3))  # hue, saturation


def linear(hue: float, saturation: float, value: float) -> Colour:
    """Linear RGB of a colour as screens name it: hue in turns, saturation and value in [0, 1]."""
    red, green, blue = (channel**2.2 for channel in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
    return red, green, blue


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(1.0, channel * factor) for channel in colour)
    return red, green, blue


class Palette:
    """Draws materials for one room; the same seed gives the same ones."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kept: dict[str, list[int]] = {}
        self.materials: list[Material] = []
        """All that have been drawn; a material's number is its place here."""

    def add(self, material: Material) -> int:
        """Note a material and give its number."""
        self.materials.append(material)
        return len(self.materials) - 1

    def _keep(self, kind: str, draw: Callable[[], Material]) -> int:
        """One of the materials of a kind; a new one while there are few."""
        kept = self._kept.setdefault(kind, [])
        if len(kept) < _KEPT[kind] and (not kept or self._rng.random() < 0.6):
            kept.append(self.add(draw()))
            return kept[-1]
        return kept[int(self._rng.integers(len(kept)))]

    def between(self, low: float, high: float) -> float:
        """A random number."""
        return float(self._rng.uniform(low, high))

    def any_colour(self, value: tuple[float, float] = (0.2, 0.95)) -> Colour:
        """Any colour; greys and browns are as frequent as in homes."""
        roll = self._rng.random()
        if roll < 0.4:
            return linear(self.between(0, 1), self.between(0.0, 0.15), self.between(*value))
        if roll < 0.7:
            return linear(self.between(0.01, 0.14), self.between(0.15, 0.6), self.between(*value))
        return linear(self.between(0, 1), self.between(0.2, 0.8), self.between(*value))

    def _wood_colours(self) -> tuple[Colour, Colour, Colour]:
        hue, saturation = _WOODS[int(self._rng.integers(len(_WOODS)))]
        light = linear(hue + self.between(-0.01, 0.01), saturation + self.between(-0.1, 0.1), self.between(0.28, 0.85))
        return light, _scaled(light, self.between(0.45, 0.8)), _scaled(light, 0.25)

    def wood(self) -> int:
        """Varnished wood."""
        return self._keep("wood", lambda: Material(
            WOOD, self._wood_colours(), (self.between(1, 3), self.between(14, 40)), self.between(0.1, 0.5),
            shine=self.between(0, 0.15), gloss=self.between(15, 80)))  # fmt: skip

    def front(self) -> int:
        """What cupboards are faced with: wood, or paint."""
        return self.wood() if self._rng.random() < 0.6 else self.lacquer()

    def lacquer(self) -> int:
        """Painted furniture, often white."""
        white = linear(self.between(0.08, 0.16), self.between(0, 0.12), self.between(0.75, 0.97))
        return self._keep("paint", lambda: Material(
            PLAIN, (white if self._rng.random() < 0.75 else self.any_colour(),) * 3, (2.0, 2.0), 0.06,
            shine=self.between(0, 0.12), gloss=self.between(15, 60)))  # fmt: skip

    def cloth(self) -> int:
        """Upholstery, blankets, curtains."""

        def draw() -> Material:
            first = self.any_colour()
            second = _scaled(first, self.between(0.5, 0.9)) if self._rng.random() < 0.6 else self.any_colour()
            third = self.any_colour()
            roll = self._rng.random()
            if roll < 0.6:
                return Material(FABRIC, (first, second, third), (3.0, 3.0), self.between(0.1, 0.4))
            if roll < 0.75:
                cells = self.between(4, 14)
                return Material(PLAID, (first, second, third), (cells, cells), 0.2, self.between(0.2, 0.5))
            if roll < 0.88:
                return Material(
                    STRIPES, (first, second, third), (self.between(4, 16),) * 2, 0.5, self.between(0.3, 0.6)
                )
            return Material(DOTS, (first, second, third), (self.between(5, 14),) * 2, line=self.between(0.2, 0.35))

        return self._keep("cloth", draw)

    def metal(self) -> int:
        """Steel, brass, black iron."""
        return self._keep("metal", lambda: Material(
            PLAIN, (linear(self.between(0.05, 0.15), self.between(0, 0.35), self.between(0.15, 0.8)),) * 3, (4, 4), 0.1,
            shine=self.between(0.15, 0.6), gloss=self.between(20, 150)))  # fmt: skip

    def plastic(self) -> int:
        """Any plain colour, a little shiny."""
        return self._keep(
            "plastic",
            lambda: Material(
                PLAIN,
                (self.any_colour(),) * 3,
                (3, 3),
                0.08,
                shine=self.between(0.02, 0.3),
                gloss=self.between(20, 120),
            ),
        )

    def ceramic(self) -> int:
        """Mostly white and shiny: sinks, cups."""
        colour = linear(self.between(0, 1), self.between(0, 0.1), self.between(0.85, 0.98))
        return self._keep("ceramic", lambda: Material(
            PLAIN, (colour if self._rng.random() < 0.75 else self.any_colour(),) * 3, (2, 2), 0.03, shine=0.25,
            gloss=120))  # fmt: skip

    def black(self) -> int:
        """Dark shiny plastic: screens that are off, stoves."""
        return self._keep("plastic", lambda: Material(
            PLAIN, (linear(0.6, 0.1, self.between(0.05, 0.2)),) * 3, shine=0.2, gloss=100.0))  # fmt: skip

    def stone(self) -> int:
        """Worktops: marble, granite, or a plain slab."""
        base = self.any_colour()
        return self._keep("stone", lambda: Material(
            MARBLE if self._rng.random() < 0.5 else SPECKLE, (base, _scaled(base, self.between(0.3, 1.6)),
            self.any_colour()), (self.between(2, 5),) * 2 if self._rng.random() < 0.5 else (150.0, 150.0), 0.3,
            shine=0.25, gloss=100))  # fmt: skip

    def book(self) -> int:
        """The back of a book."""
        return self._keep("book", lambda: Material(
            PICTURE, (self.any_colour(), self.any_colour(), self.any_colour()), (9.0, 9.0), 0.2,
            shine=self.between(0, 0.1)))  # fmt: skip

    def picture(self) -> int:
        """A painting, a poster or a screen that shows something."""
        scale = self.between(2, 6)
        return self._keep(
            "picture",
            lambda: Material(
                PICTURE, (self.any_colour(), self.any_colour(), self.any_colour()), (scale, scale), 0.5, shine=0.05
            ),
        )

    def leaf(self) -> int:
        """Leaves of plants."""
        green = linear(self.between(0.22, 0.38), self.between(0.4, 0.8), self.between(0.25, 0.6))
        return self.add(Material(FABRIC, (green, _scaled(green, 0.5), green), (15, 15), 0.6))

    def shade(self, glow: float) -> int:
        """A lampshade, lit or not."""
        warm = linear(0.1, self.between(0.05, 0.4), 0.95)
        return self.add(Material(FABRIC, (warm, _scaled(warm, 0.85), warm), (3, 3), 0.1, glow=glow))

    def outdoors(self, glow: float) -> int:
        """A window pane and what is behind it."""
        sky = linear(self.between(0.5, 0.62), self.between(0, 0.35), 1.0)
        ground = linear(self.between(0.1, 0.4), self.between(0.1, 0.6), self.between(0.3, 0.8))
        return self.add(
            Material(OUTDOORS, (sky, ground, sky), (self.between(0.4, 1.2),) * 2, 0.9, glow=glow, shine=0.1)
        )

    def blind(self, glow: float) -> int:
        """Slats of a blind, lit from behind; they lie level."""
        white = linear(0.12, self.between(0, 0.2), 0.9)
        return self.add(
            Material(BOARDS, (white, white, _scaled(white, 0.35)), (0.2, self.between(16, 40)), 0.1, 0.18, glow=glow)
        )

    def wall(self) -> int:
        """Wall paint in the quiet colours of homes, wallpaper, sometimes brick."""
        roll = self._rng.random()
        if roll < 0.55:
            base = linear(self.between(0.06, 0.16), self.between(0.02, 0.3), self.between(0.65, 0.97))
        elif roll < 0.85:
            base = linear(self.between(0, 1), self.between(0.04, 0.25), self.between(0.6, 0.95))
        else:
            base = linear(self.between(0, 1), self.between(0.3, 0.75), self.between(0.3, 0.85))
        roll = self._rng.random()
        accent, other = _scaled(base, self.between(0.55, 1.3)), self.any_colour()
        if roll < 0.76:
            return self.add(Material(PLAIN, (base,) * 3, (1.3, 1.3), self.between(0.02, 0.12)))
        if roll < 0.83:
            return self.add(
                Material(STRIPES, (base, accent, other), (self.between(3, 12), 1), self.between(0, 0.5), 0.5)
            )
        if roll < 0.9:
            return self.add(
                Material(DOTS, (base, accent, other), (self.between(4, 12),) * 2, line=self.between(0.2, 0.35))
            )
        if roll < 0.95:
            return self.add(Material(BOARDS, self._wood_colours(), (0.35, self.between(5, 12)), 0.2, 0.04))
        red = linear(self.between(0.0, 0.06), self.between(0.3, 0.7), self.between(0.4, 0.75))
        return self.add(Material(BRICK, (red, _scaled(red, 0.6), linear(0.1, 0.1, 0.7)), (4.2, 13.0), 0.3, 0.14))

    def tiles(self) -> int:
        """Wall or floor tiles."""
        base = linear(self.between(0.0, 0.6), self.between(0, 0.35), self.between(0.5, 0.97))
        cells = self.between(2.5, 9)
        joint = linear(0.1, 0.05, self.between(0.3, 0.9))
        return self.add(
            Material(
                TILES, (base, _scaled(base, self.between(0.75, 0.98)), joint), (cells, cells), 0.15, 0.035, 0.2, 90
            )
        )

    def floor(self, wet: bool = False) -> int:
        """Boards, carpet, tiles or a plain covering."""
        roll = self._rng.random()
        if wet or roll < 0.18:
            return self.tiles()
        if roll < 0.58:
            return self.add(Material(BOARDS, self._wood_colours(), (self.between(0.5, 1.5), self.between(6, 14)), 0.4,
                                     0.03, shine=self.between(0, 0.25), gloss=self.between(20, 90)))  # fmt: skip
        base = linear(self.between(0.03, 0.15), self.between(0.05, 0.4), self.between(0.3, 0.8))
        if roll < 0.9:
            return self.add(Material(SPECKLE, (base, _scaled(base, 0.6), _scaled(base, 1.3)), (110, 110), 0.15))
        return self.add(Material(PLAIN, (base,) * 3, (1.7, 1.7), self.between(0.1, 0.35), shine=0.1))

    def ceiling(self) -> int:
        """White, or nearly."""
        white = linear(0.12, self.between(0, 0.1), self.between(0.8, 0.98))
        if self._rng.random() < 0.15:
            return self.add(Material(TILES, (white, white, _scaled(white, 0.6)), (1.65, 1.65), 0.05, 0.04))
        return self.add(Material(PLAIN, (white,) * 3, (2, 2), 0.05))
