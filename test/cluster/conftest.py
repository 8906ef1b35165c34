import shutil

import pytest
from servers import MariaDB, Nats
from world import World


@pytest.fixture(scope='session')
def template(tmp_path_factory):
    """An empty MariaDB's files, made once: a test copies them instead of making its own."""
    server = MariaDB(tmp_path_factory.mktemp('mariadb') / 'template')
    server.start()
    server.prepare()
    server.stop()
    return server.folder / 'data'


@pytest.fixture
def mariadb(tmp_path, template):
    server = MariaDB(tmp_path / 'mariadb', template=template)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def nats(tmp_path):
    server = Nats(tmp_path / 'nats').start()
    yield server
    server.stop()


@pytest.fixture
def world(tmp_path, mariadb, nats):
    """Nodes on one MariaDB and one NATS; each must end cleanly, and the records must hold at the end."""
    world = World(tmp_path, mariadb, nats)
    yield world
    world.end()
