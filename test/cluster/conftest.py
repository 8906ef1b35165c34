import shutil

import pytest
from servers import MariaDB, Nats
from world import World


@pytest.fixture(scope='session')
def template(tmp_path_factory):
    """The files of an empty MariaDB, made once and copied by each test."""
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
    """Nodes on one MariaDB and one NATS; each must exit cleanly, and the records must be consistent."""
    world = World(tmp_path, mariadb, nats)
    yield world
    world.end()
