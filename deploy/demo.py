"""The demonstration: enrols one person from one photo, recognises the other photos, and names an unknown face.

Uses the HTTP interface of a real kith; its data is in data/demo and is removed at each start.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

FOLDER = 'data/demo'
KNOWN, KNOWN_PHOTO = 'Barack Obama', 'obama.jpg'
UNKNOWN, UNKNOWN_PHOTO = 'Joe Biden', 'biden.jpg'
API = os.environ.get('KITH_API_LISTEN', '127.0.0.1:8000')
DASHBOARD = os.environ.get('KITH_DASHBOARD_LISTEN', '127.0.0.1:8081')
PATIENCE_S = 120


class Refused(Exception):
    """The server answered with an error; the text is the server's."""


def call(method, path, body=None, content_type='application/json'):
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(f'http://{API}{path}', data=data, method=method,
                                     headers={'content-type': content_type})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return json.loads(answer.read() or b'null')
    except urllib.error.HTTPError as e:
        raise Refused(f'{method} {path}: {e.code} {e.read().decode(errors="replace")}') from e


def wait_until(what, condition, kith):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if kith.poll() is not None:
            sys.exit(f'demo: kith ended with code {kith.returncode} (its log: {FOLDER}/kith.log)\n'
                     + open(f'{FOLDER}/kith.log').read()[-2000:])
        try:
            result = condition()
            if result:
                return result
        except (Refused, OSError):
            pass
        time.sleep(0.05)
    sys.exit(f'demo: gave up waiting for {what} (its log: {FOLDER}/kith.log)')


def start():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    log = open(f'{FOLDER}/kith.log', 'w')
    environment = dict(os.environ, KITH_DATA=FOLDER, KITH_IMAGE_ROOTS='samples')
    return subprocess.Popen(['build/release/kith', 'serve'], env=environment, stdout=log, stderr=log)


def milliseconds(image):
    def stamp(text):
        return time.mktime(time.strptime(text[:19], '%Y-%m-%dT%H:%M:%S')) * 1000 + int(text[20:23])
    return stamp(image['finished_at']) - stamp(image['created_at'])


def who(image):
    if image['status'] == 'failed':
        return f'failed: {image["reason"]}'
    return image['person']['name'] if image['person'] else image['verdict'].replace('_', ' ')


def similarity(image):
    values = [face['similarity'] for face in image['faces'] if face['similarity'] is not None]
    return f'{max(values):.2f}' if values else ''


def print_table(images):
    print(f'\n{"photo":<26}{"who":<18}{"similarity":>10}{"time":>10}')
    for image in images:
        print(f'{os.path.basename(image["path"]):<26}{who(image):<18}{similarity(image):>10}'
              f'{milliseconds(image):>7.0f} ms')


def demonstrate(kith):
    wrong = []
    wait_until('its workers to load their models', lambda: call('GET', '/readyz'), kith)
    person = call('POST', '/v1/people', {'name': KNOWN})
    with open(f'samples/{KNOWN_PHOTO}', 'rb') as photo:
        call('POST', f'/v1/people/{person["id"]}/photos?name={KNOWN_PHOTO}', photo.read(), 'image/jpeg')
    print(f'\nenrolled {KNOWN} from samples/{KNOWN_PHOTO}')
    photos = sorted(name for name in os.listdir('samples') if name != KNOWN_PHOTO)
    begun = time.monotonic()
    posted = call('POST', '/v1/images', {'paths': [{'path': name} for name in photos]})
    images = []
    for one in posted['images']:
        images.append(wait_until(one['path'], lambda: (lambda i: i if i['finished_at'] else None)(
            call('GET', f'/v1/images/{one["id"]}')), kith))
    print_table(images)
    print(f'\n{len(images)} photos in {time.monotonic() - begun:.2f} s, from the first request to the last answer')
    for image in images:
        unknown = os.path.basename(image['path']) == UNKNOWN_PHOTO
        if who(image) != ('unknown' if unknown else KNOWN):
            wrong.append(f'{image["path"]}: {who(image)}')
        if unknown:
            begun = time.monotonic()
            named = call('POST', f'/v1/faces/{image["faces"][0]["id"]}/person', {'name': UNKNOWN})
            image = call('GET', f'/v1/images/{image["id"]}')
            print(f'\nPOST /v1/faces/{image["faces"][0]["id"]}/person {{"name":"{named["name"]}"}}\n'
                  f'{UNKNOWN_PHOTO} is now: {who(image)} ({image["status"]}), '
                  f'{(time.monotonic() - begun) * 1000:.0f} ms later, without recognising the photo again')
            if who(image) != UNKNOWN:
                wrong.append(f'{image["path"]} after naming: {who(image)}')
    return wrong


def main():
    once = sys.argv[1:] == ['--once']
    kith = start()
    code = 1
    try:
        wrong = demonstrate(kith)
        for line in wrong:
            print(f'demo: wrong: {line}', file=sys.stderr)
        code = 1 if wrong else 0
        if not once:
            print(f'\nthe results page:  http://{DASHBOARD}/\nthe interface:     http://{API}/v1/images\n'
                  f'its log:           {FOLDER}/kith.log\n\nCtrl-C stops it.', flush=True)
            code = kith.wait()
    except KeyboardInterrupt:
        code = 0
    except Refused as e:
        print(f'demo: {e}', file=sys.stderr)
    finally:
        if kith.poll() is None:
            kith.send_signal(signal.SIGTERM)
            try:
                kith.wait(30)
            except subprocess.TimeoutExpired:
                kith.kill()
    return code


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(main())
