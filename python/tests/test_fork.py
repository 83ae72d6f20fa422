"""Children of a process that has made everything before: those of gunicorn with preload, and of multiprocessing."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import List

import psycopg
import pytest

import tenantry

from conftest import Project
from test_admin import answers

# Each child says one line; what it raises ends it with another code.
CHILDREN = """
import os, signal, sys, traceback

def children(count, work):
    running = []
    for number in range(count):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            signal.alarm(100)
            try:
                os.write(write, work(number).encode())
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(write)
        running.append((child, read))
    for child, read in running:
        with open(read) as said:
            print(said.read())
        assert os.waitpid(child, 0)[1] == 0
"""

# The parent is in the middle of a change when the children are made.
CREATING = (
    CHILDREN
    + """
import threading, time, psycopg, tenantry

url, migrations, prefix = sys.argv[1:]
admin = tenantry.DatabaseAdmin(url, migrations=migrations, env={})
config = lambda name: tenantry.TenantConfig(f"{prefix}_{name}", f"{prefix}_{name}_user")
def create(name):
    return admin.create_tenant(config(name)).connection_string

print(create("before"))
def in_parent():
    print(create("parent"))
thread = threading.Thread(target=in_parent)
thread.start()
with psycopg.connect(url, autocommit=True) as look:
    while not look.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchall():
        time.sleep(0.02)
    look.close()
children(3, lambda number: create(f"child{number}"))
thread.join()
"""
)


def printed(program: str, *arguments: str) -> List[str]:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_children_create_tenants_while_their_parent_does(url: str, tmp_path: Path) -> None:
    (tmp_path / "V1__slow.sql").write_text("SELECT pg_sleep(1);")
    prefix = url.rpartition("/")[2]
    urls = printed(CREATING, url, str(tmp_path), prefix)
    found = {answers(url, "SELECT current_schema()::text") for url in urls}
    assert found == {(f"{prefix}_{name}",) for name in ("before", "parent", "child0", "child1", "child2")}
    passwords = {psycopg.conninfo.conninfo_to_dict(url)["password"] for url in urls}
    assert len(passwords) == 5


APPLYING = (
    CHILDREN
    + """
import tenantry

fleet = tenantry.Tenantry(sys.argv[1], database_url=sys.argv[2], env={})
assert fleet.plan().summary["create"] == 2
children(1, lambda _: str(fleet.apply().summary["applied"]))
children(2, lambda _: str(fleet.verify().summary["verified"]))
print(fleet.plan().in_sync)
"""
)


def test_children_plan_apply_and_verify(project: Project) -> None:
    assert printed(APPLYING, str(project.file), project.url) == ["2", "2", "2", "True"]


# One that ends its copy, and one that outlives the server.
SERVER = (
    CHILDREN
    + """
import psycopg
from tenantry import _tenantry

server = _tenantry.Server()
def ends(_):
    server.stop()
    return "ended"
children(1, ends)
with psycopg.connect(server.url):
    print("there")
child = os.fork()
if child == 0:
    signal.pause()
server.stop()
print(os.path.exists(server.directory))
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""
)


def test_a_child_does_not_stop_its_parents_server_nor_keep_it() -> None:
    assert printed(SERVER) == ["ended", "there", "False"]


def test_what_is_sent_to_another_process_is_made_there(url: str) -> None:
    with pytest.raises(TypeError, match="make it in each process"):
        pickle.dumps(tenantry.DatabaseAdmin(url, env={}))
