"""What people say about faces, compared with the model of test/integration/words_world.py, on two nodes and MariaDB."""
import os

from words_walk import plan, walk
from words_world import PLUGINS, THRESHOLD


def test_a_random_walk_on_two_nodes_agrees_with_the_model(world):
    seed, steps = int(os.environ.get('KITH_WORDS_SEED', '2')), int(os.environ.get('KITH_WORDS_STEPS', '60'))
    world.start('b', recognizer=PLUGINS / 'tiles.so', threshold=THRESHOLD)

    def make(**settings):
        return world.node('a', **settings)
    difference = walk(make, seed, plan(seed, steps), patience=10)
    assert difference is None, f'step {difference[0]}: {difference[1]}'
