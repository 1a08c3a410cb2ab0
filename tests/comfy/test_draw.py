"""The canvas of a workflow that was saved without one."""

from __future__ import annotations

from itertools import pairwise

from graphengine.canvas import Canvas
from graphengine.comfy.draw import COLUMN, FEWEST_COLUMNS, draw_workflow
from graphengine.workflow import parse_api


def chain(length: int) -> Canvas:
    """A canvas of so many unknown nodes in a row."""
    nodes = {
        str(number): {
            "class_type": "Unknown",
            "inputs": {"image": [str(number - 1), 0]} if number else {},
        }
        for number in range(length)
    }
    return draw_workflow(parse_api(nodes), {})


def test_a_chain_of_200_nodes_is_folded_to_a_readable_shape() -> None:
    canvas = chain(200)
    places = [node.position for node in canvas.nodes.values()]
    width = max(x for x, _ in places) + COLUMN
    height = max(y for _, y in places)
    assert 0.8 < width / height < 3
    assert len(set(places)) == 200
    for (x, y), (next_x, next_y) in pairwise(places):
        assert (next_x, next_y) == (x + COLUMN, y) or (next_x == 0 and next_y > y)


def test_a_short_chain_stays_in_one_row() -> None:
    places = [node.position for node in chain(FEWEST_COLUMNS).nodes.values()]
    assert places == [(COLUMN * number, 0) for number in range(FEWEST_COLUMNS)]


def test_no_node_of_a_row_lies_over_the_row_below() -> None:
    nodes = {str(number): {"class_type": "A", "inputs": {}} for number in range(9)} | {
        f"c{number}": {
            "class_type": "A",
            "inputs": {"image": [f"c{number - 1}" if number else "0", 0]},
        }
        for number in range(40)
    }
    canvas = draw_workflow(parse_api(nodes), {})
    boxes = [(*node.position, *(node.size or (0, 0))) for node in canvas.nodes.values()]
    for place, (x, y, width, height) in enumerate(boxes):
        for left, top, across, down in boxes[:place]:
            apart = x + width <= left or left + across <= x or y + height <= top or top + down <= y
            assert apart
