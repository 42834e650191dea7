"""A furnished room from a seed: its shell, its furniture, its light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthnet.data.synthetic import fixtures, things
from depthnet.data.synthetic.arrangement import Arrangement, Region
from depthnet.data.synthetic.palette import Palette
from depthnet.data.synthetic.pieces import Builder, Piece
from depthnet.data.synthetic.recipes import RECIPES, Recipe
from depthnet.data.synthetic.scene import Light, Scene
from depthnet.data.synthetic.shapes import Solid, box, slab

Rng = np.random.Generator

#: Lights that are followed at most; weaker ones only glow.
MOST_LIGHTS = 3
_PARTITION = 0.12


@dataclass(frozen=True)
class Room:
    """A scene and what was put into it."""

    kind: str
    """bedroom, kitchen, ..."""
    scene: Scene
    pieces: tuple[Piece, ...]
    """Furniture, things and fixtures where they stand, metres."""
    regions: tuple[Region, ...]
    """Floors: the room, and perhaps a second one behind an opening."""
    obstacles: NDArray[np.float64]
    """Boxes around all solids, (N, 2, 3), metres."""


def build_room(seed: int, number: int) -> Room:
    """Build room ``number`` of a seed; the same two numbers always give the same room.

    Takes about 0.1 s. Rooms have the sizes and the furniture of bedrooms, kitchens, offices, bathrooms and so on; one
    in three opens into a second room.
    """
    rng = np.random.default_rng([seed, number, 1])
    kinds = list(RECIPES)
    weights = np.array([RECIPES[kind].weight for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    recipe, palette = RECIPES[kind], Palette(rng)
    shell = (palette.floor(recipe.wet), palette.ceiling(), *_wall_materials(rng, palette, recipe))
    arrangement = Arrangement(rng, palette)
    regions, size = _regions(rng, recipe, arrangement, shell[2])
    _column(arrangement, regions[0], shell[2])
    daylight = 0.0 if rng.random() < 0.35 else rng.uniform(0.2, 1.0)
    for place, region in enumerate(regions):
        _openings(arrangement, region, daylight, place, regions)
        _furnish(arrangement, region, recipe if place == 0 else RECIPES[kinds[int(rng.integers(len(kinds)))]])
        _ceiling(arrangement, region, daylight)
    _fill_tops(arrangement, recipe.clutter)
    for region in regions:
        _litter(arrangement, region, recipe.clutter)
    obstacles = arrangement.extents
    lights = _lights(arrangement, regions)
    trim = _trim(rng, palette, regions)
    floor, ceiling, *walls = shell
    scene = Scene(
        low=np.zeros(3),
        high=np.array(size),
        shell=(walls[0], walls[1], walls[2], walls[3], floor, ceiling),
        solids=tuple(solid for piece in arrangement.pieces for solid in piece.solids) + trim,
        materials=tuple(palette.materials),
        lights=lights,
    )
    return Room(kind, scene, tuple(arrangement.pieces), regions, obstacles)


def _wall_materials(rng: Rng, palette: Palette, recipe: Recipe) -> list[int]:
    """One material for all four walls; sometimes one of them is another, and wet rooms may be tiled."""
    main = palette.tiles() if recipe.wet and rng.random() < 0.6 else palette.wall()
    walls = [main] * 4
    if rng.random() < 0.2:
        walls[int(rng.integers(4))] = palette.wall()
    return walls


def _regions(
    rng: Rng, recipe: Recipe, arrangement: Arrangement, wall: int
) -> tuple[tuple[Region, ...], tuple[float, float, float]]:
    """The floors and the size of the shell; an opening leads to the second floor."""
    (low, high), height = recipe.side, rng.uniform(*recipe.height)
    width, depth = 1.12 * rng.uniform(low, high), 1.12 * rng.uniform(low, high)
    main = Region((0.0, 0.0), (width, depth), height)
    if rng.random() > recipe.opens:
        return (main,), (width, depth, height)
    behind = rng.uniform(1.2, 4.5)
    wide = rng.uniform(0.8, 1.0) if rng.random() < 0.6 else rng.uniform(1.2, max(1.3, min(3.0, width * 0.7)))
    wide = min(wide, width - 0.4)
    tall = rng.uniform(2.0, min(2.15, height - 0.05)) if wide < 1.1 else rng.uniform(2.0, height)
    left = rng.uniform(0.1, width - wide - 0.1)
    start, end = depth, depth + _PARTITION
    parts = [
        slab((0, start, 0), (left, end, height), wall),
        slab((left + wide, start, 0), (width, end, height), wall),
        slab((left, start, tall), (left + wide, end, height), wall),
    ]
    arrangement.add(Piece("partition", tuple(part for part in parts if part.half.min() > 0.005)))
    arrangement.kept_free.append(np.array([[left, start - 0.6, 0.05], [left + wide, end + 0.6, 2.0]]))
    second = Region((0.0, end), (width, end + behind), height)
    return (main, second), (width, end + behind, height)


def _column(arrangement: Arrangement, region: Region, wall: int) -> None:
    """Sometimes a corner of the room is cut off, or a chimney comes through it."""
    rng = arrangement.rng
    if rng.random() > 0.25 or min(region.high[0] - region.low[0], region.high[1] - region.low[1]) < 2.2:
        return
    wide, deep = rng.uniform(0.25, 1.1), rng.uniform(0.25, 1.1)
    x = region.low[0] if rng.random() < 0.5 else region.high[0] - wide
    y = region.low[1] if rng.random() < 0.5 else region.high[1] - deep
    piece = Piece("column", (slab((x, y, 0), (x + wide, y + deep, region.ceiling), wall),))
    arrangement.try_add(piece, region)


def _openings(
    arrangement: Arrangement, region: Region, daylight: float, place: int, regions: tuple[Region, ...]
) -> None:
    """A door or two, and windows; not on the wall between two regions."""
    rng, palette = arrangement.rng, arrangement.palette
    walls = [0, 1, 2, 3]
    if len(regions) > 1:
        walls.remove(0 if place == 0 else 2)
    for _ in range(int(rng.integers(1, 3))):
        door = arrangement.against_wall(fixtures.door(rng, palette), region, walls, gap=0.0)
        if door is not None:
            low, high = door.extent
            arrangement.kept_free.append(np.array([low - (0.35, 0.35, -0.05), high - (-0.35, -0.35, 0)]))
    for _ in range(int(rng.choice([0, 1, 1, 2, 3]))):
        arrangement.against_wall(fixtures.window(rng, palette, daylight), region, walls, gap=0.0)


def _furnish(arrangement: Arrangement, region: Region, recipe: Recipe) -> None:
    """Large furniture along the walls, a group in the middle, then what hangs on the walls."""
    rng, palette = arrangement.rng, arrangement.palette
    scale = min(2.5, 0.3 + region.area / 11.0)
    for build, chance in recipe.first:
        if rng.random() < chance:
            arrangement.against_wall(build(rng, palette), region, tries=20)
    for build, chairs, chance in recipe.groups:
        for _ in range(max(1, round(scale * 0.7))):
            if rng.random() > chance:
                continue
            piece = build(rng, palette)
            if rng.random() < 0.25:
                table = arrangement.against_wall(piece, region)
            else:
                table = arrangement.free_standing(piece, region, turns=False, tries=20)
            if table is not None and chairs:
                seat = chairs[int(rng.integers(len(chairs)))]
                arrangement.around_table(seat, table, region, int(rng.integers(1, 7)))
    for build, often in recipe.along:
        for _ in range(int(rng.poisson(often * scale))):
            arrangement.against_wall(build(rng, palette), region, gap=rng.uniform(0.018, 0.06))
    for build, often in recipe.hung:
        for _ in range(int(rng.poisson(often * max(1.0, scale)))):
            arrangement.against_wall(build(rng, palette), region, gap=0.0, tries=6)
    for _ in range(int(rng.poisson(1.5))):
        arrangement.against_wall(fixtures.switch(rng, palette), region, gap=0.0, tries=2)
    if rng.random() < recipe.rug:
        _rug(arrangement, region)


def _rug(arrangement: Arrangement, region: Region) -> None:
    """A rug under everything: it is only millimetres thick."""
    rng = arrangement.rng
    width, depth = (rng.uniform(0.3, 0.8) * (b - a) for a, b in zip(region.low, region.high, strict=True))
    x = rng.uniform(region.low[0] + width / 2, region.high[0] - width / 2)
    y = rng.uniform(region.low[1] + depth / 2, region.high[1] - depth / 2)
    cloth, edge = arrangement.palette.cloth(), arrangement.palette.cloth()
    solids = (
        box((x, y, 0.001), (width, depth, 0.002), edge),
        box((x, y, 0.0015), (width - 0.2, depth - 0.2, 0.003), cloth),
    )
    arrangement.add(Piece("rug", solids))


def _ceiling(arrangement: Arrangement, region: Region, daylight: float) -> None:
    """Lamps under the ceiling, on at night and often by day, and sometimes a fan or beams."""
    rng, palette = arrangement.rng, arrangement.palette
    count = 1 + int(rng.poisson(max(0.0, region.area / 14.0 - 0.6)))
    is_on = daylight < 0.15 or rng.random() < 0.6
    power = things.LAMP_POWER * rng.uniform(0.7, 1.6) if is_on else 0.0
    for place in range(min(count, 6)):
        share = (place + 0.5) / min(count, 6)
        piece = fixtures.ceiling_lamp(rng, palette, power)
        if rng.random() < 0.1:
            piece = fixtures.ceiling_fan(rng, palette)
        x = region.low[0] + (region.high[0] - region.low[0]) * float(np.clip(0.5 + rng.normal(0, 0.08), 0.2, 0.8))
        y = region.low[1] + (region.high[1] - region.low[1]) * float(np.clip(share + rng.normal(0, 0.05), 0.15, 0.85))
        arrangement.try_add(piece.placed((x, y, region.ceiling), 0.0), region)
    if rng.random() < 0.08:
        wood = palette.wood()
        for y in np.arange(region.low[1] + 0.4, region.high[1] - 0.3, rng.uniform(0.7, 1.2)):
            beam = slab((region.low[0], y, region.ceiling - 0.16), (region.high[0], y + 0.12, region.ceiling), wood)
            arrangement.try_add(Piece("beam", (beam,)), region)


def _draw(rng: Rng, table: dict[Callable[..., Piece], float]) -> Builder:
    builders, weights = list(table), np.array(list(table.values()))
    return builders[int(rng.choice(len(builders), p=weights / weights.sum()))]


def _fill_tops(arrangement: Arrangement, clutter: float) -> None:
    """Things on tables, shelves and seats; some homes are tidy."""
    rng = arrangement.rng
    tidy = rng.uniform(0.4, 1.6) * clutter
    desks = [piece for piece in arrangement.pieces if piece.name == "desk"]
    for piece in desks:
        if rng.random() < 0.8:
            _on_desk(arrangement, piece)
    for piece in list(arrangement.pieces):
        seat = piece.name in ("chair", "sofa", "armchair", "bed")
        for top in piece.tops:
            area = (top.high[0] - top.low[0]) * (top.high[1] - top.low[1])
            for _ in range(min(7, int(rng.poisson((0.5 if seat else 9.0) * tidy * area)))):
                arrangement.on_top(_draw(rng, things.SMALL) if not seat else things.carton, top)


def _on_desk(arrangement: Arrangement, desk: Piece) -> None:
    """A computer that looks the way the desk does."""
    top = desk.tops[0]
    middle = (np.array(top.low) + top.high) / 2
    screen = things.monitor(arrangement.rng, arrangement.palette)
    arrangement.try_add(screen.placed((middle[0], middle[1], top.low[2] + 1e-4), desk.yaw_rad), None)


def _litter(arrangement: Arrangement, region: Region, clutter: float) -> None:
    """Things on the floor, mostly along the walls."""
    rng, palette = arrangement.rng, arrangement.palette
    for _ in range(int(rng.poisson(clutter * 4.0 * min(2.0, region.area / 12.0)))):
        piece = _draw(rng, things.LOOSE)(rng, palette)
        if rng.random() < 0.6:
            arrangement.against_wall(piece, region, tries=5)
        else:
            arrangement.free_standing(piece, region, tries=5)


def _lights(arrangement: Arrangement, regions: tuple[Region, ...]) -> tuple[Light, ...]:
    """The strongest lights; a room without any gets the glimmer of a lamp that is out of sight."""
    found = [light for piece in arrangement.pieces for light in piece.lights]
    found.sort(key=lambda light: -float(light.power.sum()))
    if found:
        return tuple(found[:MOST_LIGHTS])
    region = regions[0]
    at = (*((a + b) / 2 for a, b in zip(region.low, region.high, strict=True)), region.ceiling - 0.1)
    power = np.array([1.1, 1.0, 0.85]) * things.LAMP_POWER
    return (Light(np.array(at), power, np.array([0.15, 0, 0]), np.array([0, 0.15, 0]), np.zeros(3)),)


def _trim(rng: Rng, palette: Palette, regions: tuple[Region, ...]) -> tuple[Solid, ...]:
    """Skirting boards and sometimes cornices; they run behind the furniture."""
    if rng.random() < 0.25:
        return ()
    material, high, thick = palette.lacquer(), rng.uniform(0.05, 0.14), 0.012
    cornice = rng.random() < 0.2
    solids = []
    for region in regions:
        (x0, y0), (x1, y1) = region.low, region.high
        bands = [(0.0, high, thick)] + ([(region.ceiling - 0.07, region.ceiling, 0.06)] if cornice else [])
        for low, top, deep in bands:
            solids += [
                slab((x0, y0, low), (x0 + deep, y1, top), material),
                slab((x1 - deep, y0, low), (x1, y1, top), material),
            ]
            if len(regions) == 1:
                solids += [
                    slab((x0, y0, low), (x1, y0 + deep, top), material),
                    slab((x0, y1 - deep, low), (x1, y1, top), material),
                ]
    return tuple(solids)
