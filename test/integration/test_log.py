"""The log while standard error is not read, and the line about slow callbacks."""
import http.client
import os
import re
import select
import subprocess
import time

from harness import BUILD, PATIENCE_S, until


def launch_unread(kith):
    """Starts kith with a pipe as standard error, reads it up to the line with the address, then stops reading."""
    end, stderr = os.pipe()
    kith.process = subprocess.Popen([BUILD / 'kith', 'serve'], cwd=kith.folder, env=kith.environment(),
                                    stdout=subprocess.DEVNULL, stderr=stderr)
    os.close(stderr)
    told = b''
    while not re.search(rb' serving .*\n', told):
        told += os.read(end, 4096)
    kith.api = re.search(rb' serving .*api=(\S+)', told).group(1).decode()
    return end


def ask_often(kith, times):
    host, port = kith.api.rsplit(':', 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    for _ in range(times):
        connection.request('GET', '/healthz')
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def test_a_log_that_is_not_read_does_not_stop_the_server(make):
    kith = make(access_log='on', log_buffer='64KB')
    end = launch_unread(kith)
    ask_often(kith, 3000)
    assert kith.metric('kith_log_lines_lost_total') > 0
    kith.process.terminate()
    assert kith.process.wait(PATIENCE_S) == 0
    os.close(end)


def test_lost_lines_are_counted_when_the_reader_returns(make):
    kith = make(access_log='on', log_buffer='64KB')
    end = launch_unread(kith)
    ask_often(kith, 3000)
    told, deadline = b'', time.monotonic() + PATIENCE_S
    while b'log lines lost' not in told and time.monotonic() < deadline:
        if select.select([end], [], [], 1)[0]:
            told += os.read(end, 65536)
    lost = re.search(rb'log lines lost lines=(\d+)\n', told)
    assert lost and int(lost.group(1)) > 0, told[-1000:]
    kith.process.terminate()
    rest = b''
    while part := os.read(end, 65536):
        rest += part
    assert re.search(rb' stopped code=0\n$', rest), rest[-1000:]
    assert kith.process.wait(PATIENCE_S) == 0
    os.close(end)


def test_a_slow_callback_is_logged_and_counted(make):
    kith = make(slow_callback='1ms').start()
    paths = [f'folder/of/many/images/{n}.png' for n in range(10000)]
    assert kith.post('/v1/images', {'paths': paths}).status == 202
    until(lambda: re.search(r' warn +slow callback actor=\S+ callback=\w+ type=0x\w+ count=\d+ took_ms=\d+ skipped=\d+\n', kith.log()),
          'the line about a slow callback')
    until(lambda: kith.log().count(' accepted ') == len(paths), 'a line for each image')
    assert kith.metric('kith_log_lines_lost_total') == 0
    assert kith.metric('kith_slow_callbacks_total{actor="receiver"}') > 0


def left_out(kith, event):
    return sum(int(n) for n in re.findall(rf'lines left out event="?{event}"? count=(\d+)', kith.log()))


def test_refused_requests_do_not_flood_the_log(make):
    kith = make(access_log='on', log_refused=5, auth='keys', auth_failures=1000, keys_poll='50ms').start()
    host, port = kith.api.rsplit(':', 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    for n in range(500):
        connection.request('GET', '/v1/images', headers={'x-api-key': f'wrong{n}'})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 401
    connection.close()

    def counted(event, pattern):
        logged = len(re.findall(pattern, kith.log()))
        return logged < 400 and logged + left_out(kith, event) == 500
    until(lambda: counted('wrong key', r' wrong key address='), 'all wrong keys to be logged or counted')
    until(lambda: counted('request', r' request .*status=401 '), 'all requests to be logged or counted')
    kith.get('/healthz')
    until(lambda: 'path=/healthz status=200' in kith.log(), 'requests that are served to be logged')
