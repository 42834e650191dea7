"""What stands in which kind of room: a table to read and to change."""

from __future__ import annotations

from dataclasses import dataclass

from depthnet.data.synthetic.fixtures import (
    board,
    clock,
    hung_clothes,
    mirror,
    picture,
    radiator,
    wall_cupboard,
    wall_shelf,
)
from depthnet.data.synthetic.furniture_seats import (
    bathtub,
    bed,
    bench,
    chair,
    exercise,
    office_chair,
    ottoman,
    sofa,
    stool,
    toilet,
)
from depthnet.data.synthetic.furniture_storage import (
    bookshelf,
    dresser,
    filing_cabinet,
    fireplace,
    fridge,
    machine,
    nightstand,
    piano,
    rack,
    sideboard,
    tv_stand,
    wardrobe,
)
from depthnet.data.synthetic.furniture_tables import (
    coffee_table,
    counter,
    desk,
    dining_table,
    island,
    side_table,
    washstand,
)
from depthnet.data.synthetic.pieces import Builder
from depthnet.data.synthetic.things import plant


@dataclass(frozen=True)
class Recipe:
    """One kind of room; numbers of pieces are for a floor of 12 m² and grow with it."""

    weight: float
    """How often this kind is drawn."""
    side: tuple[float, float]
    """Shortest and longest wall, metres."""
    first: tuple[tuple[Builder, float], ...]
    """What is placed first, against walls, and its chance."""
    along: tuple[tuple[Builder, float], ...]
    """What follows along the walls, and how many of it."""
    groups: tuple[tuple[Builder, tuple[Builder, ...], float], ...] = ()
    """What stands in the room, the seats around it, and its chance."""
    hung: tuple[tuple[Builder, float], ...] = ((picture, 2.0), (clock, 0.2))
    """What hangs on the walls, and how many of it."""
    height: tuple[float, float] = (2.35, 2.9)
    """Lowest and highest ceiling, metres."""
    wet: bool = False
    """Tiled."""
    opens: float = 0.3
    """Chance of an opening to a second room."""
    rug: float = 0.2
    """Chance of a rug."""
    clutter: float = 1.0
    """How much lies around."""


RECIPES: dict[str, Recipe] = {
    "bedroom": Recipe(
        4.0,
        (2.7, 4.8),
        ((bed, 0.97), (bed, 0.1), (wardrobe, 0.6), (nightstand, 0.6), (nightstand, 0.5)),
        ((dresser, 0.7), (desk, 0.35), (bookshelf, 0.4), (sofa, 0.15), (tv_stand, 0.25), (rack, 0.2), (wardrobe, 0.2)),
        ((ottoman, (), 0.25), (chair, (), 0.3)),
        ((picture, 2.2), (wall_shelf, 0.4), (radiator, 0.3), (hung_clothes, 0.3), (mirror, 0.2)),
        rug=0.4,
    ),
    "living room": Recipe(
        4.0,
        (3.2, 6.5),
        ((sofa, 0.95), (tv_stand, 0.7), (fireplace, 0.2)),
        ((sofa, 0.5), (bookshelf, 0.7), (sideboard, 0.5), (side_table, 0.5), (plant, 0.5), (piano, 0.12), (desk, 0.2)),
        ((coffee_table, (sofa, ottoman), 0.8), (dining_table, (chair,), 0.3), (ottoman, (), 0.3), (sofa, (), 0.3)),
        ((picture, 2.5), (wall_shelf, 0.4), (clock, 0.3), (radiator, 0.3)),
        (2.4, 3.2),
        opens=0.4,
        rug=0.5,
    ),
    "kitchen": Recipe(
        3.0,
        (2.4, 5.0),
        ((counter, 0.98), (fridge, 0.85), (counter, 0.9), (machine, 0.8)),
        ((counter, 0.9), (machine, 0.4), (sideboard, 0.2), (wardrobe, 0.2), (stool, 0.3)),
        ((dining_table, (chair, stool), 0.5), (island, (stool,), 0.3)),
        ((wall_cupboard, 2.5), (picture, 0.8), (clock, 0.3), (wall_shelf, 0.5)),
        opens=0.4,
        clutter=1.4,
    ),
    "dining room": Recipe(
        2.0,
        (2.8, 5.0),
        ((sideboard, 0.6), (fireplace, 0.12)),
        ((sideboard, 0.4), (bookshelf, 0.3), (plant, 0.4), (piano, 0.15), (chair, 0.4), (bench, 0.2)),
        ((dining_table, (chair,), 1.0),),
        ((picture, 2.5), (clock, 0.3), (radiator, 0.3), (wall_shelf, 0.3)),
        opens=0.4,
        rug=0.4,
    ),
    "office": Recipe(
        2.5,
        (2.5, 6.0),
        ((desk, 0.97), (bookshelf, 0.7), (desk, 0.5)),
        ((filing_cabinet, 0.9), (bookshelf, 0.7), (desk, 0.5), (office_chair, 0.5), (plant, 0.3), (sofa, 0.15)),
        ((dining_table, (office_chair, chair), 0.35), (office_chair, (), 0.9), (desk, (office_chair,), 0.4)),
        ((board, 0.4), (picture, 1.2), (wall_shelf, 0.5), (clock, 0.3)),
        clutter=1.4,
        rug=0.1,
    ),
    "bathroom": Recipe(
        1.8,
        (1.7, 3.2),
        ((toilet, 0.9), (bathtub, 0.6), (washstand, 0.97)),
        ((machine, 0.2), (dresser, 0.2), (side_table, 0.2), (rack, 0.1)),
        (),
        ((mirror, 1.2), (picture, 0.6), (hung_clothes, 0.5), (radiator, 0.3), (wall_shelf, 0.3)),
        (2.3, 2.7),
        wet=True,
        opens=0.3,
        rug=0.3,
    ),
    "store room": Recipe(
        1.3,
        (2.2, 5.0),
        ((bookshelf, 0.8), (rack, 0.5), (exercise, 0.3)),
        ((machine, 0.6), (wardrobe, 0.5), (bookshelf, 0.8), (filing_cabinet, 0.4), (exercise, 0.3), (desk, 0.3)),
        ((side_table, (), 0.4), (exercise, (), 0.3)),
        ((wall_shelf, 1.2), (hung_clothes, 0.5)),
        (2.2, 2.8),
        rug=0.05,
        clutter=2.5,
    ),
    "shop": Recipe(
        1.3,
        (5.0, 9.0),
        ((bookshelf, 0.9), (bookshelf, 0.9), (sideboard, 0.7)),
        ((bookshelf, 1.5), (sideboard, 0.5), (rack, 0.4), (counter, 0.2), (plant, 0.2)),
        ((island, (), 0.7), (dining_table, (chair,), 0.3), (rack, (), 0.5), (sideboard, (), 0.5)),
        ((picture, 1.5), (board, 0.3), (wall_shelf, 0.6)),
        (2.7, 3.8),
        opens=0.15,
        clutter=1.2,
    ),
    "class room": Recipe(
        1.2,
        (4.5, 8.5),
        ((board, 0.8), (desk, 0.8), (bookshelf, 0.6)),
        ((bookshelf, 0.5), (sideboard, 0.4), (filing_cabinet, 0.3), (chair, 0.5), (piano, 0.05)),
        ((dining_table, (chair,), 0.8), (dining_table, (chair,), 0.8), (desk, (chair,), 0.5), (sofa, (), 0.15)),
        ((board, 0.5), (picture, 1.5), (clock, 0.3)),
        (2.6, 3.4),
        opens=0.1,
        rug=0.1,
    ),
    "hall": Recipe(
        1.0,
        (1.6, 3.2),
        ((sideboard, 0.4), (bench, 0.3)),
        ((wardrobe, 0.3), (side_table, 0.4), (chair, 0.3), (plant, 0.4)),
        (),
        ((picture, 2.5), (hung_clothes, 0.6), (mirror, 0.3)),
        opens=0.8,
        rug=0.4,
    ),
}
