"""[9] The power is cut while kith works: what it answered 2xx is there, and the database is whole."""
import os
import random

import pytest
from check import check_database, check_spool
from power import Power
from shim import Shim
from steps import PREPARE, STEPS, Promises

CUTS = max(4, int(os.environ.get('KITH_KILLS', '50')) // 10)

pytestmark = pytest.mark.skipif(bool(os.environ.get('KITH_SANITIZED')), reason='the sanitizers replace the allocator')


@pytest.mark.parametrize('lost', ['all', 'some'])
def test_what_was_answered_survives_a_loss_of_power(make, lost):
    kith = make(lease='1s', retry_backoff='1ms', orphan_age='1s', spool_sweep='2ms', workers=1, tries=1000)
    shim, power, promises = Shim(kith), Power(kith), Promises(kith)
    dice = random.Random(9)
    writes = 0
    for cut in range(CUTS):
        power.forget()
        kith.start()
        promises.check()
        for _ in range(2):
            for step in STEPS:
                if step in PREPARE:
                    PREPARE[step](promises)
                STEPS[step](promises)
        step = list(STEPS)[cut % len(STEPS)]
        if step in PREPARE:
            PREPARE[step](promises)
        shim.arm('any', dice.randint(1, 25), kill=True)
        STEPS[step](promises)
        shim.disarm()
        kith.kill()
        writes += power.lose(dice if lost == 'some' else None)
    power.forget()
    kith.start()
    promises.check()
    check_spool(kith)
    kith.stop()
    check_database(kith)
    assert writes > 0, 'nothing was lost, so this test tested nothing'
    print(f'{CUTS} cuts lost {writes} writes')


@pytest.mark.parametrize('step', [s for s in STEPS if s != 'submit'])
def test_what_is_answered_after_a_failed_sync_survives_a_loss_of_power(make, step):
    """[18] After a sync that failed the kernel takes the pages for written: a second sync keeps nothing of them."""
    kith = make(lease='1s', retry_backoff='1ms', orphan_age='1s', spool_sweep='2ms', workers=1, tries=1000)
    shim, power, promises = Shim(kith), Power(kith), Promises(kith)
    number, more = 1, True
    while more:
        power.forget()
        kith.start()
        promises.check()
        if step in PREPARE:
            PREPARE[step](promises)
        shim.arm('sync', number)
        STEPS[step](promises)
        more = shim.injected
        shim.disarm()
        if kith.process.poll() is None:
            for after in ('upload', 'finish', 'enrol'):
                STEPS[after](promises)
        kith.kill()
        power.lose()
        number += 1
    power.forget()
    kith.start()
    promises.check()
    check_spool(kith)
    kith.stop()
    check_database(kith)
    assert number > 2
