"""Ctrl-C in a program that applies is Ctrl-C in the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import Callable

import psycopg

from conftest import Execute, Project

PROGRAM = """
import json, sys, tenantry
fleet = tenantry.Tenantry(sys.argv[1], database_url=sys.argv[2], parallelism=1, env={})
print("begins", flush=True)
try:
    fleet.apply()
except KeyboardInterrupt as interrupt:
    report = interrupt.report
    print(json.dumps(report and [tenant["outcome"] for tenant in report.tenants]))
    cause = interrupt.__cause__
    print(type(cause).__name__)
"""


def started(project: Project, program: str = PROGRAM) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project.file), project.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "begins\n"
    return process


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def sleeps(execute: Execute) -> bool:
    return bool(execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))


def test_a_first_interrupt_lets_the_running_tenant_finish(project: Project, execute: Execute) -> None:
    project.migration("V2__slow.sql", "SELECT pg_sleep(2);")
    process = started(project)
    until(lambda: sleeps(execute))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert json.loads(out.splitlines()[0]) == ["applied", "skipped"], err
    assert "interrupted: no more tenants are started" in err
    assert project.open().plan().summary["create"] == 1


def test_a_second_one_rolls_it_back(project: Project, execute: Execute) -> None:
    project.migration("V2__slow.sql", "SELECT pg_sleep(600);")
    process = started(project)
    until(lambda: sleeps(execute))
    process.send_signal(signal.SIGINT)
    assert process.stderr and "interrupted: no more" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert json.loads(out.splitlines()[0]) == ["failed", "skipped"], err
    assert project.open().plan().summary["create"] == 2
    assert not sleeps(execute)


def test_what_only_waits_ends_at_once_and_applies_nothing_later(project: Project, execute: Execute) -> None:
    program = PROGRAM.replace("fleet.apply()", "fleet.apply(lock_timeout=600)").replace(
        "report = interrupt.report",
        "import time; print('left', flush=True); sys.stdin.read(); report = None",
    )
    holder = project.open()
    project.migration("V2__slow.sql", "SELECT pg_sleep(3);")
    holding = threading.Thread(target=lambda: holder.apply())
    holding.start()
    until(lambda: sleeps(execute))
    project.declares("acme = {}\nglobex = {}\ninitech = {}")
    process = started(project, program)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.stdout and process.stdout.readline() == "left\n"
    assert holding.is_alive()
    holding.join()
    # It is still there, and could take the lock now.
    time.sleep(2)
    process.communicate("", timeout=60)
    assert project.open().plan().summary == {"create": 1, "update": 0, "remove": 0, "unchanged": 2, "blocked": 0}


def test_a_look_is_interrupted_at_once(project: Project, execute: Execute) -> None:
    project.open().apply()
    program = PROGRAM.replace("fleet.apply()", "fleet.query('SELECT pg_sleep(25)')").replace(
        "report = interrupt.report", "report = None"
    )
    process = started(project, program)
    until(lambda: sleeps(execute))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    with psycopg.connect(project.url):
        until(lambda: not sleeps(execute))
