"""The queue and its store: order, states, and what a restart leaves."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from graphengine.engine import Engine
from graphengine.folders import Folders
from graphengine.job import Job, JobResult, NewJob
from graphengine.jobs import Jobs, Running
from graphengine.registry import Registry
from graphengine.store import MIGRATIONS, MOST_ATTEMPTS, SCHEMA, Store, Taken, metadata, upgrade
from graphengine.worker import JobEnded, JobEvent, Worker
from tests import toy_nodes

SHOW = {"1": {"class_type": "Show", "inputs": {"value": "hello"}}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.in_folder(tmp_path)
    yield opened
    opened.close()


def new(job_id: str, number: float = 0, **values: Any) -> NewJob:
    return NewJob(id=job_id, number=number, prompt=SHOW, targets=("1",), **values)


def ids(jobs: tuple[Job, ...]) -> list[str]:
    return [job.id for job in jobs]


def run_one(jobs: Jobs, result: JobResult | None = None) -> str:
    running = jobs.take(timeout_s=1)
    assert running is not None
    jobs.end(running.job.id, "done", result or JobResult())
    return running.job.id


def test_jobs_run_by_number_and_equal_numbers_as_they_came(store: Store) -> None:
    jobs = Jobs(store)
    for name, number in (("a", 5), ("b", 1), ("c", 5), ("d", -2)):
        jobs.submit(new(name, number))

    assert [run_one(jobs) for _ in range(4)] == ["d", "b", "a", "c"]
    assert ids(store.ended()) == ["d", "b", "a", "c"]


def test_an_id_means_one_job_at_a_time_and_a_key_one_for_good(store: Store) -> None:
    jobs = Jobs(store)
    first = jobs.submit(new("a", idempotency_key="k"))

    assert jobs.submit(new("b", idempotency_key="k")) == first
    assert jobs.submit(new("a")).place == first.place
    with pytest.raises(Taken):
        jobs.submit(dataclasses.replace(new("a"), prompt={}))
    assert ids(jobs.queued) == ["a"]

    run_one(jobs)
    assert jobs.submit(dataclasses.replace(new("a"), prompt={})).state == "queued"
    assert store.ended() == ()
    assert run_one(jobs) == "a"
    assert [job.prompt for job in store.ended()] == [{}]


def test_after_a_restart_the_queue_goes_on_and_what_ended_is_there(store: Store) -> None:
    jobs = Jobs(store)
    for name in "abc":
        jobs.submit(new(name, jobs.draw_number()))
    run_one(jobs, JobResult(outputs={"1": {"text": ["x"]}}, cached=("2",)))
    jobs.take(timeout_s=1)

    again = Jobs(store)

    assert ids(again.queued) == ["b", "c"]
    assert again.queued[0].attempts == 1
    assert again.draw_number() == 3
    assert ids(store.ended()) == ["a"]
    assert store.ended()[0].result == JobResult(outputs={"1": {"text": ["x"]}}, cached=("2",))


def test_what_was_running_can_be_marked_interrupted_and_retried(store: Store) -> None:
    jobs = Jobs(store)
    jobs.submit(new("a"))
    jobs.take(timeout_s=1)

    again = Jobs(store, on_restart="interrupt")

    assert again.queued == ()
    assert store.get("a").state == "interrupted"  # type: ignore[union-attr]
    retried = again.retry("a")
    assert retried is not None
    assert (retried.prompt, retried.state) == (SHOW, "queued")


def test_a_job_that_ends_the_process_each_time_is_given_up(store: Store) -> None:
    Jobs(store).submit(new("a"))
    for _ in range(MOST_ATTEMPTS):
        assert Jobs(store).take(timeout_s=1) is not None

    assert Jobs(store).queued == ()
    assert store.get("a").state == "interrupted"  # type: ignore[union-attr]


def test_a_job_ends_only_once(store: Store) -> None:
    jobs = Jobs(store)
    jobs.submit(new("a"))
    run_one(jobs)

    assert not store.end("a", "failed", JobResult())
    assert not store.start("a")
    assert store.get("a").state == "done"  # type: ignore[union-attr]


def test_paused_jobs_wait_also_after_a_restart(store: Store) -> None:
    jobs = Jobs(store)
    jobs.pause(True)
    jobs.submit(new("a"))

    assert jobs.take(timeout_s=0) is None
    again = Jobs(store)
    assert again.paused
    again.pause(False)
    assert run_one(again) == "a"


def test_moving_a_job_changes_the_order_for_good(store: Store) -> None:
    jobs = Jobs(store)
    for name in "abcd":
        jobs.submit(new(name, 7))

    assert jobs.move("d", 1)
    assert ids(jobs.queued) == ["a", "d", "b", "c"]
    assert jobs.move("a", 99)
    assert ids(jobs.queued) == ["d", "b", "c", "a"]
    assert not jobs.move("x", 0)
    assert ids(Jobs(store).queued) == ["d", "b", "c", "a"]


def test_cancelled_jobs_do_not_run_and_are_no_history(store: Store) -> None:
    jobs = Jobs(store)
    for name in "abc":
        jobs.submit(new(name))

    assert jobs.cancel(["b", "x"]) == ("b",)
    assert ids(jobs.queued) == ["a", "c"]
    assert set(jobs.clear()) == {"a", "c"}
    assert store.ended() == ()
    assert store.counts() == {"cancelled": 3}


def test_thousands_of_jobs_are_cancelled_and_forgotten_at_once(store: Store) -> None:
    jobs = Jobs(store)
    for index in range(1200):
        jobs.submit(new(str(index)))

    assert jobs.cancel(["7", "none", "7", "3"]) == ("7", "3")
    assert len(jobs.clear()) == 1198
    assert store.counts() == {"cancelled": 1200}
    store.forget([str(index) for index in range(1, 1200)])
    assert store.counts() == {"cancelled": 1}


def test_an_edited_job_keeps_its_place(store: Store) -> None:
    jobs = Jobs(store)
    for name in "ab":
        jobs.submit(new(name))
    other = {"2": {"class_type": "Show", "inputs": {"value": "bye"}}}

    jobs.edit("a", other, ["2"], {"x": 1})

    assert ids(jobs.queued) == ["a", "b"]
    assert store.queued()[0].prompt == other
    assert jobs.edit("x", other, ["2"], {}) is None


def test_history_is_read_in_pages_and_forgotten(store: Store) -> None:
    jobs = Jobs(store)
    for name in "abcde":
        jobs.submit(new(name))
        run_one(jobs)

    assert ids(store.ended(last=2)) == ["d", "e"]
    assert ids(store.ended(offset=3)) == ["d", "e"]
    assert ids(store.page(limit=2, offset=1)) == ["d", "c"]
    store.forget(["a"])
    store.keep_newest(2)
    assert ids(store.ended()) == ["d", "e"]
    store.forget_all()
    assert store.counts() == {}


def test_the_migrations_make_the_tables_that_a_new_store_has(store: Store, tmp_path: Path) -> None:
    for name in ("graphengine.db", "migrated.db"):
        engine = sa.create_engine(f"sqlite:///{tmp_path / name}")
        with engine.begin() as connection:
            if name == "migrated.db":
                upgrade(connection)
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, metadata) == []
            assert context.get_current_revision() == SCHEMA
        engine.dispose()

    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [SCHEMA]


def run_jobs(store: Store, tmp_path: Path, *new_jobs: NewJob) -> list[tuple[str, JobEvent]]:
    registry = Registry()
    registry.add_functions(*toy_nodes.ALL)
    folders = Folders(*(tmp_path / name for name in ("input", "output", "temp", "user")))
    jobs = Jobs(store)
    heard: list[tuple[str, JobEvent]] = []
    worker = Worker(
        jobs, Engine(registry, folders), lambda job, event: heard.append((job.id, event))
    )
    for job in new_jobs:
        jobs.submit(job)
    worker.start()
    while jobs.remaining:
        worker.join(0.01)
    jobs.close()
    assert worker.join(5)
    return heard


def test_a_worker_runs_jobs_and_keeps_what_came_of_them(store: Store, tmp_path: Path) -> None:
    heard = run_jobs(store, tmp_path, new("a"), new("b"))

    assert [job_id for job_id, event in heard if isinstance(event, JobEnded)] == ["a", "b"]
    first, second = (job.result for job in store.ended())
    assert first is not None
    assert second is not None
    assert first.outputs == second.outputs == {"1": {"text": ["hello"]}}
    assert (first.executed, first.cached) == (("1",), ())
    assert (second.executed, second.cached) == ((), ("1",))
    assert first.prompt == SHOW


def test_a_failed_job_tells_the_workflows_own_node(store: Store, tmp_path: Path) -> None:
    prompt = {
        "1": {"class_type": "Fail", "inputs": {"value": 3}},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
    }
    run_jobs(store, tmp_path, NewJob("a", 0, prompt, ("2",)))

    job = store.get("a")
    assert job is not None
    assert job.state == "failed"
    assert job.result is not None
    assert job.result.error is not None
    assert (job.result.error.node_id, job.result.error.node_type) == ("1", "Fail")
    assert job.result.error.exception_type == "graphengine.errors.InputError"
    assert job.result.error.message["ja"] != job.result.error.message["en"]


def test_a_job_whose_nodes_have_gone_fails_with_all_problems(store: Store, tmp_path: Path) -> None:
    prompt = {"1": {"class_type": "Gone", "inputs": {}}}
    run_jobs(store, tmp_path, NewJob("a", 0, prompt, ("1",)), new("b"))

    first, second = store.ended()
    assert first.result is not None
    assert first.result.error is not None
    assert (first.state, first.result.error.code) == ("failed", "problems_found")
    assert second.state == "done"


def test_a_job_that_comes_while_a_worker_waits_is_running_at_once(store: Store) -> None:
    jobs = Jobs(store)
    taken: list[Running | None] = []
    worker = threading.Thread(target=lambda: taken.append(jobs.take(timeout_s=10)))
    worker.start()
    while not jobs._waiting:
        time.sleep(0.001)
    jobs.submit(new("a"))
    jobs.submit(new("b"))
    worker.join()

    assert taken[0] is not None
    assert (taken[0].job.id, taken[0].job.state, taken[0].job.attempts) == ("a", "running", 1)
    assert [job.id for job in jobs.queued] == ["b"]
    stored = store.get("a")
    assert stored is not None
    assert (stored.state, stored.attempts) == ("running", 1)
    assert Jobs(store).take(timeout_s=0) is not None
