"""The tables of the embedded store, as of ``SCHEMA_VERSION``.

Times are UTC seconds. A value partition is stored as ``=`` and its value, with no times; an
interval has the empty text there, so that both are keys.
"""

from __future__ import annotations

from typing import Final

SCHEMA_VERSION: Final = 2

# A unit's ``state``. A completed unit has no row.
READY: Final = 0
WAITING: Final = 1  # for its backoff, until ``ready``
RUNNING: Final = 2
FAILED: Final = 3

SCHEMA: Final = """
-- A flow's version grows whenever the set of runs that hold its units may have changed.
-- ``widest`` bounds the seconds of any unit that was fed: what overlaps a time starts at most
-- so long before it, however many units there are.
CREATE TABLE flows (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 0, widest INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE completions (
    flow TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    origin TEXT NOT NULL, schedule TEXT NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (flow, start)
) WITHOUT ROWID;

-- Completions that were taken back: their output may still be there.
CREATE TABLE forgotten (
    flow TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    origin TEXT NOT NULL, schedule TEXT NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (flow, start)
) WITHOUT ROWID;

CREATE TABLE restatements (
    flow TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    schedule TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (flow, start)
) WITHOUT ROWID;

CREATE TABLE unfinished (
    flow TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    PRIMARY KEY (flow, start)
) WITHOUT ROWID;

CREATE TABLE completed_values (
    flow TEXT NOT NULL, value TEXT NOT NULL, origin TEXT NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (flow, value)
) WITHOUT ROWID;

CREATE TABLE restated_values (
    flow TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (flow, value)
) WITHOUT ROWID;

CREATE TABLE unfinished_values (
    flow TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (flow, value)
) WITHOUT ROWID;

-- Units that were about to replace output, and have not completed since.
CREATE TABLE publishing (
    flow TEXT NOT NULL, value TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    PRIMARY KEY (flow, value, start, end)
) WITHOUT ROWID;

-- What changes with every unit. ``live`` counts the records that are not failed.
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, flow TEXT NOT NULL, status TEXT NOT NULL, owner TEXT NOT NULL,
    priority REAL NOT NULL, max_active INTEGER, units INTEGER NOT NULL, created REAL NOT NULL,
    ended REAL NOT NULL DEFAULT 0,
    cursor TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0, live INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0, busy REAL NOT NULL DEFAULT 0,
    last_event INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_status ON runs (status, priority DESC, seq);
CREATE INDEX runs_by_flow ON runs (flow, seq);
CREATE INDEX runs_told ON runs (ended) WHERE ended > 0 AND last_event > 0;

-- What does not, kept apart so that counting a unit does not rewrite it.
CREATE TABLE run_specs (
    run TEXT PRIMARY KEY, spec TEXT NOT NULL, fingerprint TEXT NOT NULL,
    planned TEXT NOT NULL, options TEXT NOT NULL, created_by TEXT NOT NULL
) WITHOUT ROWID;

-- The latest run of each fingerprint of a flow.
CREATE TABLE specs (
    flow TEXT NOT NULL, fingerprint TEXT NOT NULL, run TEXT NOT NULL,
    PRIMARY KEY (flow, fingerprint)
) WITHOUT ROWID;

-- Units that were fed and are not complete; ``seq`` is the order of feeding. ``token`` is 0
-- when nobody may complete the unit, ``since`` when it was claimed last, 0 if it never was.
CREATE TABLE units (
    seq INTEGER PRIMARY KEY,
    run TEXT NOT NULL, flow TEXT NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, value TEXT NOT NULL,
    origin TEXT NOT NULL, schedule TEXT NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, ready REAL NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '', until REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '', since REAL NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX units_by_unit ON units (flow, start, end, value, run);
CREATE INDEX units_by_state ON units (run, state);
CREATE INDEX units_waiting ON units (ready) WHERE state = 1;
CREATE INDEX units_failed ON units (flow, start, end, value) WHERE state = 3;

-- Units that were fed, and taken back before anybody claimed them.
CREATE TABLE returned (
    run TEXT NOT NULL, flow TEXT NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, value TEXT NOT NULL,
    origin TEXT NOT NULL, schedule TEXT NOT NULL,
    PRIMARY KEY (run, flow, start, end, value)
) WITHOUT ROWID;

CREATE TABLE events (
    run TEXT NOT NULL, id INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
    unit TEXT NOT NULL, worker TEXT NOT NULL, detail TEXT NOT NULL,
    seconds REAL NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

-- The latest attempts at units of which one did not go well; ``id`` is the event's in its run.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    flow TEXT NOT NULL, unit TEXT NOT NULL, run TEXT NOT NULL, id INTEGER NOT NULL,
    at REAL NOT NULL, kind TEXT NOT NULL, worker TEXT NOT NULL, detail TEXT NOT NULL,
    seconds REAL NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX log_by_unit ON log (flow, unit, seq);
CREATE INDEX log_by_age ON log (at);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    flow TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX audit_by_flow ON audit (flow, seq);

CREATE TABLE tokens (last INTEGER NOT NULL);
INSERT INTO tokens VALUES (0);
"""
