"""Jobs that outlive the process: one table in SQLite, or in PostgreSQL by its URL.

Each change is one transaction, so that a process that is killed leaves every job in one state. A
job ends only if it is running, so it can end only once.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from graphengine.errors import GraphEngineError
from graphengine.job import ENDED, Job, JobError, JobResult, NewJob, State
from graphengine.json_text import dump_json

SCHEMA = "0002"
"""The migration that this code expects."""
MIGRATIONS = Path(__file__).parent / "migrations"
MOST_ATTEMPTS = 5
"""A job that was running each time the process died may be why it died."""
BUSY_TIMEOUT_S = 2
"""So long a write waits for another process that holds the file."""

metadata = sa.MetaData()
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("number", sa.Float, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("prompt", sa.JSON, nullable=False),
    sa.Column("targets", sa.JSON, nullable=False),
    sa.Column("client_id", sa.String),
    sa.Column("extra_data", sa.JSON, nullable=False),
    sa.Column("idempotency_key", sa.String, unique=True),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("result", sa.JSON),
    sa.Column("stop_asked", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("jobs_by_state", "state", "number", "place"),
    sa.Index("jobs_by_end", "finished"),
    sqlite_autoincrement=True,
)
flags = sa.Table(
    "flags",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)
_ADD = jobs.insert()
_START = (
    jobs.update()
    .where(jobs.c.id == sa.bindparam("job"), jobs.c.state == "queued")
    .values(state="running", started=sa.bindparam("now"), attempts=jobs.c.attempts + 1)
)
_END = (
    jobs.update()
    .where(jobs.c.id == sa.bindparam("job"), jobs.c.state == "running")
    .values(state=sa.bindparam("ended"), finished=sa.bindparam("now"), result=sa.bindparam("came"))
)
"""Made once: making a statement takes longer than running it."""
_RAN = sa.and_(jobs.c.state.in_(ENDED), jobs.c.started.is_not(None))


class Taken(Exception):
    """A job of this id, or with this idempotency key, is there already."""


_BATCH = 500
_HIGHEST_NUMBER = 2.0**52
"""Beyond it numbers are not counted on: adding one to them would change nothing."""


class StoreUnavailable(GraphEngineError):
    """The database cannot be written or read now: it is locked, full, read-only or gone."""


class Store:
    """The jobs of one installation. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()

    @classmethod
    def open(cls, url: str) -> Store:
        """The store at a SQLAlchemy URL, made or brought up to date first."""
        engine = sa.create_engine(
            url, pool_pre_ping=not url.startswith("sqlite"), json_serializer=dump_json
        )
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _configure_sqlite)
        _migrate(engine)
        return cls(engine)

    @classmethod
    def in_folder(cls, folder: Path) -> Store:
        """The SQLite store of a user folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls.open(f"sqlite:///{folder / 'graphengine.db'}")

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    # --- a job's way ---

    def add(self, new: NewJob, *, running: bool = False, instead_of_ended: bool = False) -> Job:
        """Put a job in, queued or running already; raises `Taken`.

        ``instead_of_ended``: a job of this id that has ended is forgotten in the same moment.
        """
        values = {name: getattr(new, name) for name in _NEW}
        now = time.time()
        job = Job(**values, created=now)
        if running:
            job = dataclasses.replace(job, state="running", started=now, attempts=1)
        more = {name: getattr(job, name) for name in ("state", "created", "started", "attempts")}
        row = {**values, **more}
        try:
            with self._writing() as connection:
                if instead_of_ended:
                    connection.execute(jobs.delete().where(_in_states([new.id], *ENDED)))
                place = connection.execute(_ADD, row).inserted_primary_key
        except IntegrityError as error:
            raise Taken(new.id) from error
        return dataclasses.replace(job, place=place[0] if place else 0)

    def start(self, job_id: str) -> bool:
        """Mark a queued job as running; False if it is not queued."""
        return self._pass(_START, {"job": job_id, "now": time.time()})

    def end(self, job_id: str, state: State, result: JobResult) -> bool:
        """Mark a running job as ended, with what came of it; False if it is not running."""
        values = {"job": job_id, "now": time.time(), "ended": state, "came": _stored(result)}
        return self._pass(_END, values)

    def cancel(self, job_ids: Collection[str]) -> tuple[str, ...]:
        """Cancel those that are queued; which they were."""
        update = jobs.update().values(state="cancelled", finished=time.time())
        cancelled: set[str] = set()
        with self._writing() as connection:
            for some in _batches(job_ids):
                chosen = update.where(_in_states(some, "queued"))
                found = connection.execute(chosen.returning(jobs.c.id))
                cancelled.update(found.scalars())
        return tuple(job_id for job_id in dict.fromkeys(job_ids) if job_id in cancelled)

    def note_stop(self, job_ids: Collection[str]) -> None:
        """Somebody asks running jobs to stop."""
        with self._writing() as connection:
            for some in _batches(job_ids):
                asked = jobs.update().where(_in_states(some, "running"))
                connection.execute(asked.values(stop_asked=True))

    def recover(self, on_restart: Literal["requeue", "interrupt"]) -> None:
        """Settle what was running when the process ended: queue it again or mark it so.

        A job that somebody had asked to stop is not queued again.
        """
        running = jobs.c.state == "running"
        again = sa.and_(running, jobs.c.attempts < MOST_ATTEMPTS, ~jobs.c.stop_asked)
        with self._writing() as connection:
            if on_restart == "requeue":
                connection.execute(jobs.update().where(again).values(state="queued"))
            values = {"state": "interrupted", "finished": time.time()}
            connection.execute(jobs.update().where(running).values(values))

    def renumber(self, numbers: Mapping[str, float]) -> None:
        """Give queued jobs other numbers."""
        with self._writing() as connection:
            for job_id, number in numbers.items():
                connection.execute(_queued(job_id).values(number=number))

    def edit(
        self,
        job_id: str,
        prompt: Mapping[str, Any],
        targets: Sequence[str],
        extra_data: Mapping[str, Any],
    ) -> bool:
        """Give a queued job another workflow; False if it is not queued."""
        values = {"prompt": prompt, "targets": list(targets), "extra_data": extra_data}
        return self._pass(_queued(job_id), values)

    # --- looking ---

    def get(self, job_id: str) -> Job | None:
        """The job of this id, or None."""
        if _is_no_id(job_id):
            return None
        return self._first(jobs.c.id == job_id)

    def by_idempotency_key(self, key: str) -> Job | None:
        """The job that was asked for with this key, or None."""
        return self._first(jobs.c.idempotency_key == key)

    def queued(self) -> tuple[Job, ...]:
        """All queued jobs, the next one first."""
        query = sa.select(jobs).where(jobs.c.state == "queued")
        return self._all(query.order_by(jobs.c.number, jobs.c.place))

    def ended(self, *, last: int | None = None, offset: int = 0) -> tuple[Job, ...]:
        """Jobs that ran and ended, oldest first: from ``offset`` on, or the ``last`` ones."""
        query = sa.select(jobs).where(_RAN)
        newest_first = query.order_by(jobs.c.finished.desc(), jobs.c.place.desc())
        if last is not None:
            return self._all(newest_first.limit(last))[::-1]
        return self._all(query.order_by(jobs.c.finished, jobs.c.place).offset(offset))

    def page(
        self, states: Collection[State] = (), *, limit: int = 100, offset: int = 0
    ) -> tuple[Job, ...]:
        """Jobs in some states (by default all), newest first."""
        query = sa.select(jobs).order_by(jobs.c.place.desc()).limit(limit).offset(offset)
        return self._all(query.where(jobs.c.state.in_(states)) if states else query)

    def listing(
        self, states: Collection[State], *, limit: int, offset: int = 0, oldest_first: bool = False
    ) -> tuple[tuple[Job, ...], int]:
        """A page of jobs in some states, newest first, and how many there are on all pages.

        As in `ended`, those that were cancelled before they ran are no part of it.
        """
        chosen = sa.and_(jobs.c.state.in_(states), sa.or_(jobs.c.state.not_in(ENDED), _RAN))
        order = jobs.c.place.asc() if oldest_first else jobs.c.place.desc()
        page = sa.select(jobs).where(chosen).order_by(order).limit(limit).offset(offset)
        with self._reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).where(chosen)).scalar_one()
        return self._all(page), total

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def next_number(self) -> int:
        """A number after those of all jobs: clients sort also what has ended by it."""
        query = sa.select(sa.func.max(jobs.c.number)).where(jobs.c.number < _HIGHEST_NUMBER)
        with self._reading() as connection:
            highest = connection.execute(query).scalar()
        return 0 if highest is None else max(int(highest) + 1, 0)

    # --- forgetting ---

    def forget(self, job_ids: Collection[str]) -> None:
        """Delete ended jobs."""
        for some in _batches(job_ids):
            self._delete(_in_states(some, *ENDED))

    def forget_all(self) -> None:
        """Delete all ended jobs."""
        self._delete(jobs.c.state.in_(ENDED))

    def keep_newest(self, count: int) -> None:
        """Delete ended jobs, the oldest first, beyond ``count``."""
        ended = sa.select(jobs.c.place).where(jobs.c.state.in_(ENDED))
        kept = ended.order_by(jobs.c.finished.desc(), jobs.c.place.desc()).limit(count)
        self._delete(sa.and_(jobs.c.state.in_(ENDED), jobs.c.place.not_in(kept)))

    # --- flags ---

    def flag(self, name: str) -> Any:
        """A remembered value, or None."""
        with self._reading() as connection:
            return connection.execute(sa.select(flags.c.value).where(flags.c.name == name)).scalar()

    def set_flag(self, name: str, value: Any) -> None:
        """Remember a value."""
        with self._writing() as connection:
            connection.execute(flags.delete().where(flags.c.name == name))
            connection.execute(flags.insert().values(name=name, value=value))

    # --- SQL ---

    def _pass(self, update: sa.Update, values: dict[str, Any]) -> bool:
        with self._writing() as connection:
            return connection.execute(update, values).rowcount == 1

    def _delete(self, chosen: sa.ColumnElement[bool]) -> None:
        with self._writing() as connection:
            connection.execute(jobs.delete().where(chosen))

    def _first(self, chosen: sa.ColumnElement[bool]) -> Job | None:
        found = self._all(sa.select(jobs).where(chosen).limit(1))
        return found[0] if found else None

    def _all(self, query: sa.Select[Any]) -> tuple[Job, ...]:
        with self._reading() as connection:
            return tuple(_job(row) for row in connection.execute(query).mappings())

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """One transaction; threads take turns here, as SQLite's own way of waiting is to poll."""
        with _availability(), self._lock, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _availability(), self._engine.connect() as connection:
            yield connection


@contextmanager
def _availability() -> Iterator[None]:
    """What the database says that cannot serve now, as `StoreUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, OperationalError) or error.connection_invalidated:
            raise StoreUnavailable("store_unavailable", cause=error.orig) from error
        raise


_NEW = tuple(entry.name for entry in dataclasses.fields(NewJob))


def _batches(job_ids: Collection[str]) -> Iterator[list[str]]:
    """As many as one statement takes at a time."""
    ids = [job_id for job_id in job_ids if not _is_no_id(job_id)]
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _is_no_id(text: str) -> bool:
    """PostgreSQL's texts hold no NUL, and asking for one is an error there."""
    return "\0" in text


def _queued(job_id: str) -> sa.Update:
    return jobs.update().where(_in_states([job_id], "queued"))


def _in_states(job_ids: Collection[str], *states: State) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.id.in_(job_ids), jobs.c.state.in_(states))


def _job(row: Any) -> Job:
    """A row as a job; the column makes floats of the numbers that were drawn."""
    result, number = row["result"], row["number"]
    return Job(
        **{
            **row,
            "number": int(number) if number.is_integer() else number,
            "targets": tuple(row["targets"]),
            "result": result and _result(result),
        }
    )


def _stored(result: JobResult) -> dict[str, Any]:
    """As JSON values; `dataclasses.asdict` would copy whole workflows first."""
    error = None if result.error is None else vars(result.error)
    return {**vars(result), "error": error}


def _result(stored: Mapping[str, Any]) -> JobResult:
    error = stored["error"]
    if error is not None:
        error = JobError(**{**error, "traceback": tuple(error["traceback"])})
    cached, executed = tuple(stored["cached"]), tuple(stored["executed"])
    return JobResult(**{**stored, "cached": cached, "executed": executed, "error": error})


def _configure_sqlite(connection: Any, _: Any) -> None:
    """Write-ahead log: what is committed survives the process; readers do not wait for writers."""
    for setting in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        connection.execute(f"PRAGMA {setting}")


def _migrate(engine: sa.Engine) -> None:
    """Bring the tables up to date; Alembic is imported only for tables of an earlier version."""
    with engine.begin() as connection:
        schema = _schema(connection)
        if schema == SCHEMA:
            return
        if schema is None and not sa.inspect(connection).has_table(jobs.name):
            _make_tables(connection)
        else:
            upgrade(connection)


def upgrade(connection: sa.Connection) -> None:
    """Run the migrations that this database has not had yet."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_tables(connection: sa.Connection) -> None:
    """The tables as all migrations together make them, and Alembic's note of the last one."""
    metadata.create_all(connection)
    version = sa.Table(
        "alembic_version",
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), primary_key=True),
    )
    version.create(connection)
    connection.execute(version.insert().values(version_num=SCHEMA))


def _schema(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
