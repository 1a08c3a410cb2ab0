"""Plots: cells, the cache between them, errors, going on after an interruption."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from graphengine.context import CancelFlag
from graphengine.errors import GraphEngineError, ProblemsFound
from graphengine.plot.picture import draw_sheet, write_sheet
from graphengine.plot.plot import PlotProgress, forget, make_plot, run_plot, unneeded_problems
from graphengine.plot.table import table, write_table
from graphengine.workflow import Workflow
from tests.plot.conftest import CALLS, Plots, picture_workflow
from tests.toy_engine import n


def plotted(toy: Plots, *axes: str, workflow: Workflow | None = None, **options: Any) -> Any:
    plot = make_plot(toy.engine, workflow or picture_workflow(), axes)
    return run_plot(toy.engine, plot, **options)


def test_a_late_axis_does_not_run_early_nodes_again(toy: Plots) -> None:
    result = plotted(toy, "2.factor=0..1:0.2", "1.gray=10..60:10")

    assert len(result.cells) == 36
    assert CALLS["tint"] == 36
    assert sum(CALLS.values()) - CALLS["tint"] == 6
    assert not list(toy.folders.output.iterdir())


def test_cells_lie_where_their_values_say(toy: Plots) -> None:
    result = plotted(toy, "1.gray=0,255", "2.factor=1,0.5", "1.text=a,b")
    places = [cell.place for cell in result.cells]
    sheet = draw_sheet(result)

    assert places[:4] == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)]
    assert len(places) == 8
    colours = {sheet.getpixel((x, y)) for x in range(sheet.width) for y in range(sheet.height)}
    assert {(0, 0, 0), (127, 127, 127), (255, 255, 255)} <= colours


def test_a_faulty_cell_shows_its_error_and_the_others_finish(toy: Plots) -> None:
    result = plotted(toy, "1.gray=1,13,300,4")
    errors = [cell.error_text() for cell in result.cells]

    assert [error is None for error in errors] == [True, False, False, True]
    assert "13" in str(errors[1])
    assert "300" in str(errors[2])
    assert table(result)[2]["error"] == errors[2]
    assert draw_sheet(result).width > 4 * 100


def test_a_plot_of_which_no_cell_can_run_is_refused(toy: Plots) -> None:
    with pytest.raises(ProblemsFound):
        plotted(toy, "1.gray=300,301")


def test_a_plot_goes_on_where_it_was_interrupted(toy: Plots, tmp_path: Path) -> None:
    cancel = CancelFlag()

    def stop(progress: PlotProgress) -> None:
        if progress.done == 2:
            cancel.set()

    workflow = picture_workflow().set("1.seed", -1)
    first = plotted(toy, "1.gray=1..5", workflow=workflow, on_progress=stop, cancel=cancel)
    again = Plots(tmp_path)
    plot = make_plot(again.engine, workflow, ["1.gray=1..5"])
    result = run_plot(again.engine, plot)

    assert (first.cancelled, len(first.cells)) == (True, 2)
    assert [cell.restored for cell in result.cells] == [True, True, False, False, False]
    assert sorted(CALLS) == ["paint 3", "paint 4", "paint 5", "tint"]
    assert plot.workflow.nodes["1"].inputs["seed"] == first.plot.workflow.nodes["1"].inputs["seed"]
    forget(again.engine, plot)
    assert not any((again.folders.user / "plots").iterdir())


def test_progress_counts_cells_and_estimates_the_rest(toy: Plots) -> None:
    seen: list[PlotProgress] = []
    plotted(toy, "1.gray=1..4", on_progress=seen.append)

    assert [(each.done, each.total) for each in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen[-1].left_s == 0
    assert seen[0].left_s == pytest.approx(3 * seen[0].cell.seconds)


def test_all_cells_share_the_seed_that_was_drawn(toy: Plots) -> None:
    plot = make_plot(toy.engine, picture_workflow().set("1.seed", -1), ["1.gray=1,2"])

    assert len({plot.at(place).nodes["1"].inputs["seed"] for place in plot.places}) == 1
    assert plot.workflow.nodes["1"].inputs["seed"] >= 0


def test_each_seed_of_minus_one_on_an_axis_is_drawn_and_told(toy: Plots) -> None:
    axes = ["1.seed=-1,-1,7"]
    result = plotted(toy, *axes)
    again = make_plot(toy.engine, picture_workflow(), axes)

    first, second, third = (row["1.seed"] for row in table(result))
    assert (first >= 0, second >= 0, first != second, third) == (True, True, True, 7)
    assert again.axes[0].values == (first, second, 7)
    assert again.axes[0].labels == (str(first), str(second), "7")


def test_a_value_given_twice_is_not_told_as_kept_from_an_earlier_run(toy: Plots) -> None:
    result = plotted(toy, "1.gray=5,5")

    assert [cell.restored for cell in result.cells] == [False, False]
    assert CALLS["paint 5"] == 1


def test_a_plot_that_goes_on_carries_the_drawn_workflow_too(toy: Plots, tmp_path: Path) -> None:
    canvas = {"nodes": [], "links": []}
    workflow = replace(picture_workflow(), ui=canvas)
    make_plot(toy.engine, workflow, ["1.gray=1,2"])
    write_sheet(plotted(toy, "1.gray=1,2", workflow=workflow), tmp_path / "plot.png")

    with Pillow.open(tmp_path / "plot.png") as picture:
        assert json.loads(picture.info["workflow"]) == canvas


def test_many_cells_run_only_when_they_are_meant(toy: Plots) -> None:
    axes = ["1.gray=0..99", "1.seed=0..99"]
    with pytest.raises(GraphEngineError) as caught:
        make_plot(toy.engine, picture_workflow(), axes)

    assert caught.value.code == "plot_many_cells"
    assert "10000" in str(caught.value)
    assert make_plot(toy.engine, picture_workflow(), axes, confirmed=True).count == 10_000


def test_two_axes_on_one_input_are_refused(toy: Plots) -> None:
    with pytest.raises(GraphEngineError) as caught:
        make_plot(toy.engine, picture_workflow(), ["1.gray=1,2", "Canvas.gray=3,4"])
    assert caught.value.code == "plot_same_input"


@pytest.mark.parametrize(
    ("picture", "code"),
    [("nobody", "plot_no_picture_node"), ("4", "plot_not_a_picture")],
)
def test_a_picture_that_is_not_there_is_said(toy: Plots, picture: str, code: str) -> None:
    workflow = picture_workflow(**{"4": n("Number", value=1)})
    with pytest.raises(GraphEngineError) as caught:
        make_plot(toy.engine, workflow, ["1.gray=1"], picture=picture)
    assert caught.value.code == code


def test_the_picture_of_any_node_can_be_asked_for(toy: Plots) -> None:
    plot = make_plot(toy.engine, picture_workflow(), ["1.gray=1"], picture="Canvas")
    run_plot(toy.engine, plot)

    assert CALLS["tint"] == 0


def test_a_measuring_node_makes_a_table(toy: Plots, tmp_path: Path) -> None:
    workflow = picture_workflow(**{"4": n("Brightness", image=["2", 0])})
    rows = table(plotted(toy, "1.gray=0,255", workflow=workflow))
    write_table(rows, tmp_path / "t.csv")
    write_table(rows, tmp_path / "t.json")

    assert [(row["1.gray"], row["brightness"], row["error"]) for row in rows] == [
        (0, 0.0, None),
        (255, 1.0, None),
    ]
    with (tmp_path / "t.csv").open() as file:
        assert [row["brightness"] for row in csv.DictReader(file)] == ["0.0", "1.0"]
    assert json.loads((tmp_path / "t.json").read_text())[1]["brightness"] == 1.0


def test_a_measuring_node_that_is_missing_is_told(toy: Plots) -> None:
    workflow = picture_workflow(**{"4": n("Sharpness", image=["2", 0])})
    plot = make_plot(toy.engine, workflow, ["1.gray=1,2"])
    (problem,) = unneeded_problems(toy.engine, plot)

    assert (problem.code, problem.node_id, problem.severity) == ("unknown_node", "4", "warning")
    assert not unneeded_problems(
        toy.engine, make_plot(toy.engine, picture_workflow(), ["1.gray=1"])
    )


def test_the_sheet_carries_all_settings(toy: Plots, tmp_path: Path) -> None:
    write_sheet(plotted(toy, "1.gray=1,2", "2.how=*.a"), tmp_path / "sheet.png")
    with Pillow.open(tmp_path / "sheet.png") as sheet:
        prompt, plot = (json.loads(sheet.info[name]) for name in ("prompt", "plot"))

    assert prompt["1"]["inputs"]["gray"] == 100
    assert [axis["values"] for axis in plot["axes"]] == [[1, 2], ["warm.a", "cold.a"]]
    assert len(plot["cells"]) == 4


def test_the_node_plots_the_workflow_around_it(toy: Plots) -> None:
    nodes = {
        "1": n("Paint", gray=100),
        "2": n("Tint", image=["1", 0]),
        "4": n("Brightness", image=["2", 0]),
        "5": n("PlotXYZ", image=["2", 0], x="1.gray=0,13,255", y="2.factor=1,0.5"),
    }
    result = toy.run(nodes, targets=["5"]).raise_for_status()
    rows = result.artifacts["5"].more["table"]
    saved = toy.folders.output / result.artifacts["5"].images[0].filename

    assert [row.get("brightness") for row in rows[:3]] == [0.0, None, 1.0]
    assert len(rows) == 6
    assert saved.name == "plot_00001_.png"
    assert saved.with_suffix(".csv").is_file()
    assert CALLS["paint 100"] == 0


def test_a_plot_node_without_axes_says_so(toy: Plots) -> None:
    result = toy.run({"1": n("Paint", gray=1), "5": n("PlotXYZ", image=["1", 0])})
    assert result.status == "failed"
    assert "axis" in str(result.error)


def test_no_picture_covers_the_foot_of_a_label(toy: Plots) -> None:
    sheet = draw_sheet(plotted(toy, "1.text=____")).convert("L")
    *_, bottom = (
        sheet.crop((0, 24, 80, 48)).point(lambda value: 255 * (value < 128)).getbbox() or ()
    )

    assert bottom < 24


def test_a_narrow_sheet_is_wide_enough_for_its_heading(toy: Plots) -> None:
    long = picture_workflow(**{"1": {**n("Paint", gray=1), "_meta": {"title": "Canvas " * 8}}})
    one = draw_sheet(plotted(toy, "1.gray=1", workflow=long))
    named = draw_sheet(plotted(toy, f"{'Canvas ' * 8}.gray=1", workflow=long))

    assert one.width < 200 < named.width <= 640
