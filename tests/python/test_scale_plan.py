"""The arithmetic behind docs/scale.md."""

import importlib.util
import io
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("scale_plan", ROOT / "tools" / "scale_plan.py")
plan = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plan)


def test_the_model_has_the_weights_of_plm_1_8b():
    shape = plan.Shape(plan.Inputs())
    assert 1.82e9 < shape.parameters < 1.83e9
    assert shape.flops == pytest.approx(12.97e9, rel=1e-3)


def test_sums_under_the_backward_pass_do_not_show():
    assert plan.simulate([1, 2, 3], [0.5, 0.5, 0.5]) == 3.5
    assert plan.simulate([3, 1, 2], [0.5, 2, 2]) == 5.5  # in the order of readiness, one at a time
    assert plan.simulate([1, 2, 3], [0, 0, 0]) == 3


def test_a_sum_is_as_long_as_its_ring():
    inputs = plan.Inputs(latency=0.0)
    assert plan.sum_seconds(inputs, 1, 1e9) == 0
    assert plan.sum_seconds(inputs, 8, 1e9) == pytest.approx(2 * 7 / 8 * 1e9 / inputs.node_speed)
    between = plan.sum_seconds(inputs, 16, 1e9) - plan.sum_seconds(inputs, 8, 1e9)
    assert between == pytest.approx(2 * 1 / 2 * 1e9 / 8 / inputs.net_speed)


def test_an_endless_network_shows_nothing():
    inputs = plan.Inputs(latency=0.0, node_speed=1e30, net_speed=1e30)
    assert plan.step(inputs, 512, 2)[2] == pytest.approx(0, abs=1e-12)


def test_the_tables_of_the_document_are_those_of_the_script():
    printed = io.StringIO()
    plan.report(plan.Inputs(), printed)
    document = (ROOT / "docs" / "scale.md").read_text()
    rows = [line for line in printed.getvalue().splitlines() if line.startswith(("| 8 |", "| 64 |", "| 512 |"))]
    rows = [row for row in rows if row.count("|") == 9]
    assert len(rows) == 3
    for row in rows:
        speed, days = [cell.strip() for cell in row.strip("|").split("|")][-2:]
        assert f"| {speed} | **{days}** |" in document, row
