"""Each allocation, read, write, sync, rename, send, statement and commit fails once, in every step: kith goes on or ends
with a message, keeps what it has answered, does the step as a whole or not at all, and the next one succeeds (SQLite's
way of testing).

In CI each n-th call fails; KITH_FAULT_EVERY=1 makes every call fail in turn (ten minutes)."""
import os
import pathlib
import signal

import pytest
from check import check_database, check_spool
from harness import until
from shim import Shim
from steps import PREPARE, STEPS, Promises

EVERY = {'allocate': 41, 'read': 3, 'write': 5, 'sync': 1, 'rename': 1, 'send': 1, 'statement': 3,
         'commit': 1}
RESTART_EVERY = 40  # runs: what was answered must be there after a restart

pytestmark = pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers replace the allocator')


def descriptors(kith):
    return len(os.listdir(f'/proc/{kith.process.pid}/fd'))


def end_is_explained(kith, kind):
    """Without memory kith aborts, and OpenSSL's hashes use the memory that they did not get; every other end has its
    reason in the log."""
    if kind == 'allocate' and kith.process.returncode in (-signal.SIGABRT, -signal.SIGSEGV):
        return True
    return kith.process.returncode in (1, 2) and ' error ' in kith.log()


class World:
    def __init__(self, kith, step):
        self.kith = kith
        self.step = step
        self.shim = Shim(kith)
        self.promises = Promises(kith)
        self.restarts = 0
        kith.start()
        self.baseline = descriptors(kith)

    def run(self, kind, number):
        """One run of the step; whether the failure was injected."""
        if self.step in PREPARE:
            PREPARE[self.step](self.promises)
        self.shim.arm(kind, number)
        STEPS[self.step](self.promises)
        injected = self.shim.injected
        self.shim.disarm()
        return injected

    def settle(self, kind):
        """After a failure: alive, or ended for a reason; then everything works again."""
        kith = self.kith
        if kith.process.poll() is None and (not self._answers() or ' giving up ' in kith.log()):
            kith.process.wait(30)
        if kith.process.poll() is not None:
            self.restart_explained(kind)
        try:
            self.succeed()
        except AssertionError:  # the failure may have hit what is done behind the answer
            if ' giving up ' not in kith.log():
                raise
            kith.process.wait(30)
            self.restart_explained(kind)
            self.succeed()

    def restart_explained(self, kind):
        assert end_is_explained(self.kith, kind), (self.kith.process.returncode, self.kith.log()[-2000:])
        self.restart()

    def succeed(self):
        """The next step, without a failure."""
        if self.step in PREPARE:
            PREPARE[self.step](self.promises)
        answer = STEPS[self.step](self.promises)
        assert answer and answer.status // 100 == 2, answer

    def _answers(self):
        try:
            return self.kith.get('/healthz').status == 200
        except OSError:
            return False

    def restart(self):
        if self.kith.process.poll() is None:
            until(lambda: descriptors(self.kith) <= self.baseline + 2, 'descriptors to be closed')
            self.kith.stop()
        self.kith.start()
        self.restarts += 1
        self.promises.check()


@pytest.mark.parametrize('kind', EVERY)
@pytest.mark.parametrize('step', STEPS)
def test_one_failure_leaves_nothing_half_done(make, step, kind):
    every = int(os.environ.get('KITH_FAULT_EVERY', EVERY[kind]))
    world = World(make(lease='1s', retry_backoff='1ms', orphan_age='1s', spool_sweep='2ms', breaker_timeout='100ms',
                       request_timeout='5s', queue_poll='100ms', workers=1, tries=1000), step)
    number, runs = 1, 0
    while world.run(kind, number):
        world.settle(kind)
        runs += 1
        number += every
        if runs % RESTART_EVERY == 0:
            world.restart()
    world.restart()
    check_spool(world.kith)
    world.kith.stop()
    check_database(world.kith)
    print(f'{step} {kind}: {runs} failures, {world.restarts} restarts')
    pathlib.Path(world.kith.folder / 'fault.control').unlink()
